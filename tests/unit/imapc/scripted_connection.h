// An imapc::Connection over a script, for the tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>

#include "imapc/connection.h"
#include "tests/support/run.h"
#include "tests/support/scripted_stream.h"
#include "wire/net/tasks.h"

namespace imapc {

using tests::support::poll;
using tests::support::run;
using tests::support::ScriptedStream;

inline constexpr const char* all_capabilities =
    "IMAP4rev1 SASL-IR AUTH=PLAIN LITERAL+ UIDPLUS MOVE CONDSTORE QRESYNC ENABLE ESEARCH IDLE UNSELECT NAMESPACE "
    "LIST-EXTENDED SPECIAL-USE CREATE-SPECIAL-USE LIST-STATUS ID";

// Base64 of NUL "user" NUL "secret".
inline constexpr const char* plain_user_secret = "AHVzZXIAc2VjcmV0";

inline Credentials user_credentials() {
  Credentials credentials;
  credentials.user = "user";
  credentials.password = Secret("secret");
  return credentials;
}

inline Endpoint plain_endpoint() {
  Endpoint endpoint;
  endpoint.host = "mail.example.org";
  endpoint.security = Security::none;
  endpoint.verify = false;
  return endpoint;
}

// Greeting and login with tag f1; commands begin with f2.
inline void script_login(ScriptedStream& script, const std::string& capabilities = all_capabilities) {
  script.supply("* OK [CAPABILITY " + capabilities + "] ready\r\n");
  if (capabilities.find("AUTH=PLAIN") != std::string::npos && capabilities.find("SASL-IR") != std::string::npos) {
    script.expect(std::string("f1 AUTHENTICATE PLAIN ") + plain_user_secret + "\r\n");
  } else {
    script.expect("f1 LOGIN user secret\r\n");
  }
  script.supply("f1 OK [CAPABILITY " + capabilities + "] logged in\r\n");
}

class ScriptedConnection : public testing::Test {
 protected:
  ScriptedConnection() : wheel(wire::net::Wheel::of(context.get_executor())) { wheel.use_manual_clock(); }
  ~ScriptedConnection() override {
    connection.reset();
    poll(context);
  }

  ScriptedStream& script() {
    if (!stream) {
      // The last one's tasks look at the record once more when they end.
      connection.reset();
      poll(context);
      stream = std::make_unique<ScriptedStream>(context.get_executor(), &record);
      live = stream.get();
    }
    return *live;
  }

  Result<> open(Endpoint endpoint = plain_endpoint(), Credentials credentials = user_credentials(),
                Options options = Options()) {
    auto steps = [&]() -> awaitable<void> {
      Result<std::unique_ptr<Connection>> opened =
          co_await Connection::open_on(std::move(stream), endpoint, credentials, options);
      if (opened) {
        connection = std::move(*opened);
      } else {
        result = opened.error();
      }
    };
    result = Result<>();
    run(context, steps());
    return result;
  }

  // Logs in and runs the steps; they find the connection in `connection`.
  void open_and(const std::function<awaitable<void>()>& steps) {
    const Result<> opened = open();
    ASSERT_TRUE(opened) << opened.error().describe() << " / " << record.mismatch;
    run(context, steps());
    EXPECT_EQ(record.mismatch, "");
    EXPECT_TRUE(record.finished);
  }

  asio::io_context context;
  wire::net::Wheel& wheel;
  ScriptedStream::Record record;
  std::unique_ptr<ScriptedStream> stream;
  ScriptedStream* live = nullptr;
  std::unique_ptr<Connection> connection;
  Result<> result;
};

// Writes down everything it is told.
class RecordingSink : public FetchSink {
 public:
  std::string log;
  void on_body_begin(const FetchItem& so_far, const FetchSection& section, uint64_t size) override {
    log += "begin(uid=" + (so_far.uid ? std::to_string(so_far.uid->value) : std::string("?")) +
           (section.value.kind == wire::imap::StringRef::Kind::nil ? ",nil" : "") + "," + std::to_string(size) + ")";
  }
  void on_body_bytes(std::string_view bytes) override { log += bytes; }
  void on_body_end() override { log += "end "; }
  void on_message(const FetchItem& item) override {
    log += "message(" + (item.uid ? std::to_string(item.uid->value) : std::string("?"));
    if (item.size) log += ",size=" + std::to_string(*item.size);
    if (item.modseq) log += ",modseq=" + std::to_string(item.modseq->value);
    if (item.flags) log += ",flags=" + std::to_string(item.flags->flags.system);
    log += ") ";
  }
  void on_vanished(const UidSet& uids) override { log += "vanished(" + uids.to_string() + ") "; }
};

class RecordingObserver : public Observer {
 public:
  std::string log;
  void on_exists(uint32_t n) override { log += "exists=" + std::to_string(n) + " "; }
  void on_expunge(SeqNo seq) override { log += "expunge=" + std::to_string(seq.value) + " "; }
  void on_vanished(const UidSet& uids) override { log += "vanished=" + uids.to_string() + " "; }
  void on_fetch(const FetchItem& item) override { log += "fetch=" + std::to_string(item.seq.value) + " "; }
  void on_alert(std::string_view text) override { log += "alert=" + std::string(text) + " "; }
  void on_closed(const Failure& why) override { log += "closed=" + std::string(wire::base::to_string(why.code)) + " "; }
};

}  // namespace imapc
