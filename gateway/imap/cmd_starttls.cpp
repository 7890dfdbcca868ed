// RFC 3501 6.2.1. Nothing said before the handshake survives it: commands pipelined behind STARTTLS end the session,
// since whoever sits on the wire could have put them there.
#include "gateway/imap/commands.h"

namespace gateway::imap {

awaitable<Reply> cmd_starttls(Session& s, wire::imap::CommandLine& line) {
  if (!s.tls_possible()) {
    co_return s.stream().is_tls() ? Reply::bad("TLS is on already")
                                  : Reply::no(Code::unavailable, "TLS is not offered");
  }
  auto done = co_await s.start_tls(line.tag + " OK Begin TLS negotiation now\r\n");
  if (!done) {
    s.log_out(done.error().note);
    co_return Reply::bad(done.error().note);
  }
  Reply reply;
  reply.sent = true;
  co_return reply;
}

}  // namespace gateway::imap
