// An IMAP client connection that pipelines: every command function sends at once and returns a Call to await. Commands
// are executed by the server in the order of the calls. Knows nothing of storage.
//
// Lives on the one thread of its executor's io_context. When the connection breaks, every command in flight fails with
// Errc::closed (or timeout, malformed, limit), and so does every later one: make a new one. Memory: the read buffer
// while anything is in flight (256 KiB), a few KB while idle; body literals are never copied or kept. Mailbox names are
// octets as the server shows them. Sources: RFC 3501, 2177, 2342, 2971, 3691, 4315, 4731, 4959, 5161, 5258, 5819, 6154,
// 6851, 7162, 7888.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "imapc/command.h"
#include "imapc/endpoint.h"
#include "imapc/results.h"
#include "imapc/sink.h"
#include "wire/imap/cmd/fetch.h"
#include "wire/imap/cmd/list.h"
#include "wire/imap/cmd/search.h"
#include "wire/imap/cmd/select.h"
#include "wire/imap/cmd/store.h"
#include "wire/imap/namespace_data.h"

namespace imapc {

class Session;  // the machinery; shared with its tasks

struct AppendRequest {
  std::string mailbox;
  FlagList flags;
  std::optional<wire::base::InternalDate> date;
  uint64_t size = 0;
  // Until the call is done or dropped. Dropping it half way breaks the connection: half a literal cannot be taken back.
  BodyReader* body = nullptr;
};

class Connection {
 public:
  // Connects, starts TLS, logs in, exchanges ID, ENABLEs. Errc::auth: the server refused the credentials; unavailable:
  // not reachable or not now; refused: the certificate or a rule; unsupported: no way to log in that is allowed here.
  static awaitable<Result<std::unique_ptr<Connection>>> open(asio::any_io_executor executor, Endpoint endpoint,
                                                             Credentials credentials, Options options);
  // The same over a stream that is connected, with TLS already on it for implicit TLS: for tests and proxies.
  static awaitable<Result<std::unique_ptr<Connection>>> open_on(wire::net::StreamPtr stream, Endpoint endpoint,
                                                                Credentials credentials, Options options);
  // Breaks the connection at once. For a polite end await logout() before.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  bool is_open() const;
  // What the server offers now; replaced whenever it says something new.
  const wire::imap::Capabilities& capabilities() const;
  const wire::imap::Capabilities& enabled() const;  // confirmed by ENABLED
  const wire::imap::IdParams& server_id() const;
  const std::string& greeting() const;  // the stranger's text
  bool preauth() const;
  const wire::net::Stream& stream() const;  // addresses, TLS, byte counts
  size_t in_flight() const;
  uint64_t commands_sent() const;

  // Not owned; null: nobody listens. It must outlive the connection or be replaced before it dies.
  void set_observer(Observer* observer);

  // A FetchSink that was full() is not any more.
  void resume();

  // LOGOUT, orderly shutdown. Always succeeds.
  awaitable<void> logout();
  void close();

  Call<Nothing> noop();
  Call<wire::imap::Capabilities> capability();
  Call<wire::imap::Capabilities> enable(std::vector<std::string> names);
  Call<wire::imap::NamespaceData> namespaces();
  // One LIST or LSUB as it stands; see imapc/list.h for the whole tree with subscriptions and STATUS.
  struct Listed {
    std::vector<wire::imap::ListData> mailboxes;
    std::vector<StatusData> status;  // LIST-STATUS
  };
  Call<Listed> list(wire::imap::cmd::List request);
  Call<Listed> lsub(std::string reference, std::string pattern);
  Call<StatusData> status(std::string mailbox, wire::imap::StatusItems items);
  Call<Nothing> create(std::string mailbox, std::vector<std::string> special_use = {});
  Call<Nothing> remove(std::string mailbox);  // DELETE
  Call<Nothing> rename(std::string from, std::string to);
  Call<Nothing> subscribe(std::string mailbox);
  Call<Nothing> unsubscribe(std::string mailbox);

  // `request.examine` tells SELECT from EXAMINE. QRESYNC and CONDSTORE parameters only where enabled or offered.
  Call<Selected> select(wire::imap::cmd::Select request);
  // UNSELECT, or what comes to the same where it is lacking: never expunges.
  Call<Nothing> unselect();
  // The reply's FETCH data go to the sink, which must live until the call is done or dropped. FLAGS, MODSEQ, UID and
  // whatever else `items` says; request.uid is set.
  Call<Nothing> uid_fetch(wire::imap::cmd::Fetch request, FetchSink& sink);
  Call<Stored> uid_store(wire::imap::cmd::Store request);
  Call<Copied> uid_copy(const UidSet& uids, std::string mailbox);
  Call<Copied> uid_move(const UidSet& uids, std::string mailbox);  // needs MOVE
  Call<Expunged> expunge();
  Call<Expunged> uid_expunge(const UidSet& uids);  // needs UIDPLUS
  Call<Found> uid_search(wire::imap::cmd::Search request);
  Call<Appended> append(AppendRequest request);

  // What a mailbox has beyond mail (imapc/extras.cpp): the text of each untagged ACL, QUOTA, METADATA after that word.
  Call<std::vector<std::string>> get_acl(std::string mailbox);         // needs ACL
  Call<std::vector<std::string>> get_quota_root(std::string mailbox);  // needs QUOTA
  Call<std::vector<std::string>> get_comments(std::string mailbox);    // needs METADATA: /private and /shared comment

  // IDLE until stop_idle(), until another command is called (which ends it by itself), or until the connection breaks;
  // renewed every 28 minutes. The observer hears what happens meanwhile. Not while another idle() runs.
  awaitable<Result<>> idle();
  void stop_idle();

 private:
  explicit Connection(std::shared_ptr<Session> session);
  static awaitable<Result<>> set_up(std::shared_ptr<Session> session, Endpoint endpoint, Credentials credentials);
  static awaitable<Result<>> log_in(std::shared_ptr<Session> session, Credentials credentials);
  std::shared_ptr<Session> session_;
};

}  // namespace imapc
