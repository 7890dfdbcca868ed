#include "gateway/source/maintenance.h"

#include <gtest/gtest.h>

namespace gateway::source {
namespace {

using namespace std::chrono_literals;

bool rewrite_is_due(const MaintenanceFacts& facts) { return maintenance_due(facts, 20s).rewrite; }

TEST(Maintenance, is_due_when_much_was_written_or_nobody_waits) {
  EXPECT_FALSE(rewrite_is_due({.frames_since = 0, .tried = false, .idle = 0s}));
  EXPECT_TRUE(rewrite_is_due({.frames_since = 0, .tried = false, .idle = 20s}));
  EXPECT_FALSE(rewrite_is_due({.frames_since = 1'999, .tried = true, .idle = 1h}));
  EXPECT_TRUE(rewrite_is_due({.frames_since = 2'000, .tried = true, .idle = 20s}));
  EXPECT_FALSE(rewrite_is_due({.frames_since = 19'999, .tried = true, .idle = 19s}));
  EXPECT_TRUE(rewrite_is_due({.frames_since = 20'000, .tried = true, .idle = 0s}));
  EXPECT_FALSE(rewrite_is_due({.frames_since = 20'000, .tried = false, .idle = 1h, .busy = true}));
}

TEST(Maintenance, goes_on_where_there_may_be_more) {
  EXPECT_FALSE(rewrite_is_due({.frames_since = 0, .tried = true, .idle = 1h}));
  EXPECT_TRUE(rewrite_is_due({.frames_since = 0, .tried = true, .more = true, .idle = 20s}));
  EXPECT_FALSE(rewrite_is_due({.frames_since = 0, .tried = true, .more = true, .idle = 19s}));
}

TEST(Maintenance, looks_once_an_hour_where_anything_was_written) {
  EXPECT_FALSE(rewrite_is_due({.frames_since = 0, .tried = true, .since = 2h, .idle = 1h}));
  EXPECT_FALSE(rewrite_is_due({.frames_since = 1, .tried = true, .since = 59min, .idle = 1h}));
  EXPECT_TRUE(rewrite_is_due({.frames_since = 1, .tried = true, .since = 60min, .idle = 20s}));
  EXPECT_FALSE(rewrite_is_due({.frames_since = 1, .tried = true, .since = 60min, .idle = 19s}));
  EXPECT_TRUE(maintenance_due({.frames_since = 1, .tried = true}, 0s).rewrite);
}

TEST(Maintenance, what_was_replaced_and_a_long_tail_need_no_quiet) {
  MaintenanceDue tidy, checkpoint;
  tidy.tidy = checkpoint.checkpoint = true;
  EXPECT_EQ(maintenance_due({.tried = true, .leftover = true}, 20s), tidy);
  EXPECT_EQ(maintenance_due({.tried = true, .tail = 19'999}, 20s), MaintenanceDue());
  EXPECT_EQ(maintenance_due({.tried = true, .tail = 20'000}, 20s), checkpoint);
  EXPECT_EQ(maintenance_due({.busy = true, .leftover = true, .tail = 20'000}, 20s), MaintenanceDue());
}

TEST(Maintenance, is_asked_often_enough) {
  EXPECT_EQ(maintenance_period(20s), 10'000ms);
  EXPECT_EQ(maintenance_period(1h), 10'000ms);
  EXPECT_EQ(maintenance_period(3s), 1'500ms);
  EXPECT_EQ(maintenance_period(0s), 500ms);
}

TEST(Maintenance, index_snap_takes_a_hundredth_of_the_time) {
  EXPECT_EQ(checkpoint_rest(0ms), 0ms);
  EXPECT_EQ(checkpoint_rest(70ms), 7s);
}

TEST(Maintenance, rests_so_that_the_share_is_kept) {
  EXPECT_EQ(rest_after(10ms, 10), 90ms);
  EXPECT_EQ(rest_after(10ms, 50), 10ms);
  EXPECT_EQ(rest_after(10ms, 100), 0ms);
  EXPECT_EQ(rest_after(5s, 1), 2'000ms);  // a slow step does not make it sleep for minutes
  EXPECT_EQ(rest_after(0ms, 10), 0ms);
}

}  // namespace
}  // namespace gateway::source
