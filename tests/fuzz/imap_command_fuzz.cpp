// A client's bytes. Oracle: the arguments that a command was read with survive being written and read again.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "wire/imap/cmd/append.h"
#include "wire/imap/cmd/copy.h"
#include "wire/imap/cmd/expunge.h"
#include "wire/imap/cmd/fetch.h"
#include "wire/imap/cmd/list.h"
#include "wire/imap/cmd/login.h"
#include "wire/imap/cmd/mailbox.h"
#include "wire/imap/cmd/search.h"
#include "wire/imap/cmd/select.h"
#include "wire/imap/cmd/session.h"
#include "wire/imap/cmd/store.h"
#include "wire/imap/command.h"

namespace {

using namespace wire::imap;

template <class T>
void check(CommandLine line) {
  std::string name = line.name;
  auto first = parse_args<T>(line);
  if (!first) return;
  if constexpr (requires { first->examine; }) first->examine = name == "EXAMINE";
  if constexpr (requires { first->move; }) first->move = name == "MOVE";
  std::string text;
  Writer w(text, Literals::plus);
  write_command(w, "a", *first);
  auto abort_with = [&](const char* what) {
    std::fprintf(stderr, "%s: %s\n", what, text.c_str());
    std::abort();
  };
  if (!w.ok()) abort_with("cannot be written");
  Framer framer(Framer::Side::server, FramerLimits::client());
  std::string_view in = text;
  auto event = framer.next(in);
  while (event && *event == Framer::Event::literal) event = framer.next(in);
  if (!event || *event != Framer::Event::frame || !in.empty()) abort_with("not one frame");
  auto again = parse_command(framer.frame());
  if (!again || again->name != name) abort_with("not that command");
  auto second = parse_args<T>(*again);
  if (!second) abort_with("not read again");
  if constexpr (requires { second->examine; }) second->examine = name == "EXAMINE";
  if constexpr (requires { second->move; }) second->move = name == "MOVE";
  if constexpr (requires { second->extended; }) {
    // "()" before the reference or after RETURN asks for the extended form; so do the parentheses we write instead.
    second->extended = first->extended;
  }
  if (!(*first == *second)) abort_with("changed");
}

void dispatch(const CommandLine& line) {
  const std::string& n = line.name;
  if (n == "LOGIN") return check<cmd::Login>(line);
  if (n == "AUTHENTICATE") return check<cmd::Authenticate>(line);
  if (n == "ENABLE") return check<cmd::Enable>(line);
  if (n == "ID") return check<cmd::Id>(line);
  if (n == "LIST") return check<cmd::List>(line);
  if (n == "LSUB") return check<cmd::Lsub>(line);
  if (n == "CREATE") return check<cmd::Create>(line);
  if (n == "DELETE") return check<cmd::Delete>(line);
  if (n == "RENAME") return check<cmd::Rename>(line);
  if (n == "SUBSCRIBE") return check<cmd::Subscribe>(line);
  if (n == "STATUS") return check<cmd::Status>(line);
  if (n == "SELECT" || n == "EXAMINE") return check<cmd::Select>(line);
  if (n == "FETCH") return check<cmd::Fetch>(line);
  if (n == "STORE") return check<cmd::Store>(line);
  if (n == "COPY" || n == "MOVE") return check<cmd::Copy>(line);
  if (n == "EXPUNGE") return check<cmd::Expunge>(line);
  if (n == "SEARCH") return check<cmd::Search>(line);
  if (n == "APPEND") {
    CommandLine copy = line;
    (void)parse_args<cmd::Append>(copy);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  Leniency leniency;
  leniency.extra_space = data[0] & 1;
  // Bytes that RFC 3501 cannot say in an astring come back as literals.
  leniency.eight_bit = data[0] & 2;
  std::string block(reinterpret_cast<const char*>(data) + 1, size - 1);
  Framer framer(Framer::Side::server, {}, leniency);
  std::string_view in = block;
  for (;;) {
    auto event = framer.next(in);
    if (!event || *event == Framer::Event::more) return 0;
    if (*event == Framer::Event::literal) {
      (void)cmd::parse_append_so_far(framer.text(), framer.literals_so_far(), leniency);
      if (framer.announced().size > 10000) framer.refuse();
    }
    if (*event == Framer::Event::frame) {
      auto line = parse_command(framer.frame(), leniency);
      if (line) dispatch(*line);
    }
  }
}
