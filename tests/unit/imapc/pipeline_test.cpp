// Streaming, pipelining, what comes unasked, IDLE, and servers that mean harm.
#include "tests/unit/imapc/scripted_connection.h"
#include "wire/net/deadline.h"

namespace imapc {
namespace {

using wire::imap::cmd::Fetch;

Fetch bodies(uint32_t first, uint32_t last) {
  Fetch request;
  request.set = wire::imap::SequenceSet::of(UidSet(Uid(first), Uid(last)));
  request.items = Fetch::uid_item | Fetch::rfc822_size;
  Fetch::Part part;
  part.peek = true;
  request.parts.push_back(part);
  return request;
}

Fetch flags(uint32_t first, uint32_t last) {
  Fetch request;
  request.set = wire::imap::SequenceSet::of(UidSet(Uid(first), Uid(last)));
  request.items = Fetch::uid_item | Fetch::flags;
  return request;
}

class PipelineTest : public ScriptedConnection {
 protected:
  PipelineTest() { script_login(script()); }
};

struct BodyForm {
  const char* what;
  const char* reply;
  const char* log;
};

class BodyForms : public PipelineTest, public testing::WithParamInterface<std::tuple<BodyForm, size_t>> {};

INSTANTIATE_TEST_SUITE_P(
    All, BodyForms,
    testing::Combine(
        testing::Values(BodyForm{"literal", "* 1 FETCH (UID 5 RFC822.SIZE 3 BODY[] {3}\r\nabc)\r\n",
                                 "begin(uid=5,3)abcend message(5,size=3) "},
                        BodyForm{"uid_after_the_body", "* 1 FETCH (BODY[] {3}\r\nabc UID 5 RFC822.SIZE 3)\r\n",
                                 "begin(uid=?,3)abcend message(5,size=3) "},
                        BodyForm{"quoted", "* 1 FETCH (UID 5 RFC822.SIZE 4 BODY[] \"a\\\"bc\")\r\n",
                                 "begin(uid=5,4)a\"bcend message(5,size=4) "},
                        BodyForm{"nil", "* 1 FETCH (UID 5 RFC822.SIZE 3 BODY[] NIL)\r\n",
                                 "begin(uid=5,nil,0)end message(5,size=3) "},
                        BodyForm{"empty_literal", "* 1 FETCH (UID 5 RFC822.SIZE 0 BODY[] {0}\r\n)\r\n",
                                 "begin(uid=5,0)end message(5,size=0) "},
                        BodyForm{"two_messages",
                                 "* 1 FETCH (UID 5 RFC822.SIZE 1 BODY[] {1}\r\na)\r\n* 2 FETCH (UID 6 RFC822.SIZE 2 "
                                 "BODY[] {2}\r\nbb)\r\n",
                                 "begin(uid=5,1)aend message(5,size=1) begin(uid=6,2)bbend message(6,size=2) "}),
        testing::Values(size_t{1}, size_t{7}, size_t{4096})),
    [](const auto& test) {
      return std::string(std::get<0>(test.param).what) + "_" + std::to_string(std::get<1>(test.param));
    });

TEST_P(BodyForms, reach_the_sink_as_the_same_calls) {
  const auto& [form, read_size] = GetParam();
  script().expect("f2 UID FETCH 5:6 (UID RFC822.SIZE BODY.PEEK[])\r\n").supply(form.reply).supply("f2 OK done\r\n");
  script().break_reads(read_size);
  RecordingSink sink;
  open_and([&]() -> awaitable<void> {
    Call<Nothing> call = connection->uid_fetch(bodies(5, 6), sink);
    const Result<Nothing> r = co_await call.get();
    EXPECT_TRUE(r);
  });
  std::string log = sink.log;
  EXPECT_EQ(log, form.log);
}

TEST_F(PipelineTest, commands_leave_together_and_each_gets_its_own_answer) {
  script().expect("f2 NOOP\r\nf3 UID FETCH 1:2 (UID FLAGS)\r\nf4 UID FETCH 3 (UID FLAGS)\r\nf5 DELETE x\r\n");
  script().supply("f2 OK done\r\n* 1 FETCH (UID 1 FLAGS (\\Seen))\r\n* 3 FETCH (UID 3 FLAGS ())\r\n");
  script().supply("* 2 FETCH (UID 2 FLAGS ())\r\nf3 OK done\r\nf5 NO no such\r\nf4 OK done\r\n");
  RecordingSink first, second;
  open_and([&]() -> awaitable<void> {
    Call<Nothing> noop = connection->noop();
    Call<Nothing> a = connection->uid_fetch(flags(1, 2), first);
    Call<Nothing> b = connection->uid_fetch(flags(3, 3), second);
    Call<Nothing> remove = connection->remove("x");
    const Result<Nothing> r4 = co_await remove.get();
    const Result<Nothing> r1 = co_await noop.get();
    const Result<Nothing> r2 = co_await a.get();
    const Result<Nothing> r3 = co_await b.get();
    EXPECT_TRUE(r1 && r2 && r3);
    EXPECT_FALSE(r4);
    EXPECT_EQ(r4.error().peer_text, "no such");
    EXPECT_EQ(remove.status().condition, wire::imap::Condition::no);
  });
  EXPECT_EQ(first.log, "message(1,flags=1) message(2,flags=0) ");
  EXPECT_EQ(second.log, "message(3,flags=0) ");
}

TEST_F(PipelineTest, what_nobody_asked_for_goes_to_the_observer) {
  script().expect("f2 UID FETCH 5 (UID RFC822.SIZE BODY.PEEK[])\r\n");
  script().supply("* 9 EXISTS\r\n* 4 EXPUNGE\r\n* 7 FETCH (FLAGS (\\Seen))\r\n* 8 FETCH (UID 99 FLAGS ())\r\n");
  script().supply(
      "* VANISHED 44:46\r\n* OK [ALERT] disk dying\r\n* 1 FETCH (UID 5 RFC822.SIZE 1 BODY[] {1}\r\na)\r\nf2 OK x\r\n");
  RecordingSink sink;
  RecordingObserver observer;
  open_and([&]() -> awaitable<void> {
    connection->set_observer(&observer);
    Call<Nothing> call = connection->uid_fetch(bodies(5, 5), sink);
    co_await call.get();
    connection->set_observer(nullptr);
  });
  EXPECT_EQ(observer.log, "exists=9 expunge=4 fetch=7 fetch=8 vanished=44:46 alert=disk dying ");
  EXPECT_EQ(sink.log, "begin(uid=5,1)aend message(5,size=1) ");
}

TEST_F(PipelineTest, changed_since_with_vanished) {
  script().expect("f2 UID FETCH 1:9 (UID FLAGS) (CHANGEDSINCE 50 VANISHED)\r\n");
  script().supply("* VANISHED (EARLIER) 2:3\r\n* 1 FETCH (UID 1 FLAGS () MODSEQ (60))\r\nf2 OK x\r\n");
  RecordingSink sink;
  open_and([&]() -> awaitable<void> {
    Fetch request = flags(1, 9);
    request.changed_since = ModSeq(50);
    request.vanished = true;
    Call<Nothing> call = connection->uid_fetch(request, sink);
    co_await call.get();
  });
  EXPECT_EQ(sink.log, "vanished(2:3) message(1,modseq=60,flags=0) ");
}

TEST_F(PipelineTest, a_dropped_call_never_touches_its_sink_again) {
  script().expect("f2 UID FETCH 5 (UID RFC822.SIZE BODY.PEEK[])\r\n").expect("f3 NOOP\r\n");
  script().supply("* 1 FETCH (UID 5 RFC822.SIZE 3 BODY[] {3}\r\nabc)\r\nf2 OK done\r\nf3 OK done\r\n");
  open_and([&]() -> awaitable<void> {
    {
      RecordingSink sink;
      Call<Nothing> dropped = connection->uid_fetch(bodies(5, 5), sink);
    }
    Call<Nothing> noop = connection->noop();
    const Result<Nothing> r = co_await noop.get();
    EXPECT_TRUE(r);
  });
}

TEST_F(PipelineTest, a_deadline_ends_the_wait_and_not_the_connection) {
  script().expect("f2 NOOP\r\n").expect("f3 NOOP\r\n");
  ASSERT_TRUE(open());
  std::optional<Errc> code;
  auto steps = [&]() -> awaitable<void> {
    {
      Call<Nothing> slow = connection->noop();
      awaitable<Result<Nothing>> answer = slow.get();
      const Result<Nothing> r = co_await wire::net::with_deadline(Timeout(1'000), std::move(answer));
      code = r.error().code;
    }
    Call<Nothing> next = connection->noop();
    const Result<Nothing> r = co_await next.get();
    EXPECT_TRUE(r);
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("t", steps());
  poll(context);
  wheel.advance(Timeout(1'200));
  poll(context);
  EXPECT_EQ(code, Errc::timeout);
  live->supply("f2 OK late\r\nf3 OK done\r\n");
  run(context, group.join());
}

TEST_F(PipelineTest, silence_breaks_the_connection_for_all_in_flight) {
  script().expect("f2 NOOP\r\nf3 NOOP\r\n");
  RecordingObserver observer;
  ASSERT_TRUE(open());
  connection->set_observer(&observer);
  std::vector<Errc> codes;
  auto steps = [&]() -> awaitable<void> {
    Call<Nothing> a = connection->noop();
    Call<Nothing> b = connection->noop();
    const Result<Nothing> ra = co_await a.get();
    const Result<Nothing> rb = co_await b.get();
    codes = {ra.error().code, rb.error().code};
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("t", steps());
  poll(context);
  wheel.advance(Timeout(301'000));
  run(context, group.join());
  EXPECT_EQ(codes, (std::vector<Errc>{Errc::timeout, Errc::timeout}));
  EXPECT_EQ(observer.log, "closed=timeout ");
}

TEST_F(PipelineTest, bye_closes_everything_in_flight_and_keeps_the_servers_words) {
  script().expect("f2 NOOP\r\n").supply("* BYE shutting down\r\n");
  open_and([&]() -> awaitable<void> {
    Call<Nothing> call = connection->noop();
    const Result<Nothing> r = co_await call.get();
    EXPECT_EQ(r.error().code, Errc::closed);
    EXPECT_EQ(r.error().peer_text, "shutting down");
    Call<Nothing> later = connection->noop();
    const Result<Nothing> r2 = co_await later.get();
    EXPECT_EQ(r2.error().code, Errc::closed);
  });
}

TEST_F(PipelineTest, destroying_the_connection_ends_its_calls) {
  script().expect("f2 NOOP\r\n");
  ASSERT_TRUE(open());
  std::optional<Call<Nothing>> call(connection->noop());
  connection.reset();
  poll(context);
  auto steps = [&]() -> awaitable<void> {
    const Result<Nothing> r = co_await call->get();
    EXPECT_EQ(r.error().code, Errc::closed);
  };
  run(context, steps());
}

TEST_F(PipelineTest, idle_tells_the_observer_and_stops_on_demand) {
  script().expect("f2 IDLE\r\n").supply("+ idling\r\n* 5 EXISTS\r\n").expect("DONE\r\n").supply("f2 OK done\r\n");
  RecordingObserver observer;
  ASSERT_TRUE(open());
  connection->set_observer(&observer);
  std::optional<Result<>> ended;
  auto steps = [&]() -> awaitable<void> {
    Result<> r = co_await connection->idle();
    ended.emplace(std::move(r));
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("idle", steps());
  poll(context);
  EXPECT_EQ(observer.log, "exists=5 ");
  wheel.advance(Timeout(20 * 60'000));
  poll(context);
  EXPECT_FALSE(ended);
  EXPECT_TRUE(connection->is_open());
  connection->stop_idle();
  run(context, group.join());
  EXPECT_TRUE(ended && *ended);
  EXPECT_TRUE(record.finished) << record.mismatch;
}

TEST_F(PipelineTest, idle_is_renewed_before_29_minutes) {
  script().expect("f2 IDLE\r\n").supply("+ idling\r\n").expect("DONE\r\n").supply("f2 OK done\r\n");
  script().expect("f3 IDLE\r\n").supply("+ idling\r\n").expect("DONE\r\n").supply("f3 OK done\r\n");
  ASSERT_TRUE(open());
  bool ended = false;
  auto steps = [&]() -> awaitable<void> {
    const Result<> r = co_await connection->idle();
    EXPECT_TRUE(r);
    ended = true;
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("idle", steps());
  poll(context);
  wheel.advance(Timeout(28 * 60'000 + 200));
  poll(context);
  EXPECT_FALSE(ended);
  EXPECT_EQ(connection->commands_sent(), 3u);
  connection->stop_idle();
  run(context, group.join());
  EXPECT_TRUE(record.finished) << record.mismatch;
}

TEST_F(PipelineTest, a_command_ends_idle_by_itself) {
  script()
      .expect("f2 IDLE\r\n")
      .supply("+ idling\r\n")
      .expect("DONE\r\nf3 NOOP\r\n")
      .supply("f2 OK done\r\nf3 OK done\r\n");
  ASSERT_TRUE(open());
  auto idle = [&]() -> awaitable<void> {
    const Result<> r = co_await connection->idle();
    EXPECT_TRUE(r);
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("idle", idle());
  poll(context);
  auto noop = [&]() -> awaitable<void> {
    Call<Nothing> call = connection->noop();
    const Result<Nothing> r = co_await call.get();
    EXPECT_TRUE(r);
  };
  group.spawn("noop", noop());
  run(context, group.join());
  EXPECT_TRUE(record.finished) << record.mismatch;
}

TEST_F(PipelineTest, an_append_whose_reader_fails_breaks_the_connection) {
  class Failing : public BodyReader {
   public:
    Result<size_t> read(std::span<char>) override { return Failure(Errc::io, "disk"); }
  };
  script().expect("f2 APPEND a {5+}\r\n");
  Failing reader;
  open_and([&]() -> awaitable<void> {
    AppendRequest request;
    request.mailbox = "a";
    request.size = 5;
    request.body = &reader;
    Call<Appended> call = connection->append(request);
    const Result<Appended> r = co_await call.get();
    EXPECT_EQ(r.error().note, "disk");
  });
  EXPECT_FALSE(connection->is_open());
}

TEST_F(PipelineTest, back_pressure_stops_reading) {
  class Full : public RecordingSink {
   public:
    bool full() const override { return closed; }
    void on_message(const FetchItem& item) override {
      RecordingSink::on_message(item);
      closed = true;
    }
    bool closed = false;
  };
  script().expect("f2 UID FETCH 1:2 (UID FLAGS)\r\n");
  script().supply("* 1 FETCH (UID 1 FLAGS ())\r\n").supply("* 2 FETCH (UID 2 FLAGS ())\r\nf2 OK x\r\n");
  ASSERT_TRUE(open());
  Full sink;
  auto steps = [&]() -> awaitable<void> {
    Call<Nothing> call = connection->uid_fetch(flags(1, 2), sink);
    co_await call.get();
  };
  wire::net::TaskGroup group(context.get_executor(), nullptr);
  group.spawn("t", steps());
  poll(context);
  EXPECT_EQ(sink.log, "message(1,flags=0) ");
  wheel.advance(Timeout(3'600'000));  // our own slowness is no fault of the server
  poll(context);
  EXPECT_TRUE(connection->is_open());
  sink.closed = false;
  connection->resume();
  run(context, group.join());
  EXPECT_EQ(sink.log, "message(1,flags=0) message(2,flags=0) ");
}

struct Hostile {
  const char* what;
  std::string reply;
  Errc code;
};

class HostileServer : public PipelineTest, public testing::WithParamInterface<Hostile> {};

INSTANTIATE_TEST_SUITE_P(All, HostileServer,
                         testing::Values(Hostile{"tag_nobody_sent", "f99 OK what\r\n", Errc::malformed},
                                         Hostile{"line_without_end", "* OK " + std::string(200'000, 'x'), Errc::limit},
                                         Hostile{"literal_of_2_to_the_63",
                                                 "* 1 FETCH (UID 5 BODY[] {9223372036854775808}\r\n", Errc::limit},
                                         Hostile{"huge_literal_in_a_name", "* LIST () \".\" {100000}\r\n", Errc::limit},
                                         Hostile{"answer_before_the_command", "f3 OK early\r\n", Errc::malformed},
                                         Hostile{"endless_unsolicited",
                                                 [] {
                                                   std::string s;
                                                   for (int i = 0; i < 101; ++i) s += "* 1 EXISTS\r\n";
                                                   return s;
                                                 }(),
                                                 Errc::limit}),
                         [](const auto& test) { return test.param.what; });

TEST_P(HostileServer, is_left_with_the_right_failure) {
  script().expect("f2 NOOP\r\n").supply(GetParam().reply);
  Options options;
  options.limits.framer.max_line = 100'000;
  options.limits.max_unsolicited = 100;
  ASSERT_TRUE(open(plain_endpoint(), user_credentials(), options));
  auto steps = [&]() -> awaitable<void> {
    Call<Nothing> call = connection->noop();
    const Result<Nothing> r = co_await call.get();
    EXPECT_FALSE(r);
    if (!r) {
      EXPECT_EQ(r.error().code, GetParam().code) << r.error().describe();
    }
  };
  run(context, steps());
  EXPECT_FALSE(connection->is_open());
}

}  // namespace
}  // namespace imapc
