// Progress for people on standard error: one line rewritten on a terminal, else a line every few seconds. Any thread.
#pragma once

#include <chrono>
#include <mutex>
#include <string>

#include "gateway/admin/verb.h"

namespace gateway {

// "anna: 1,204 of 16,500 messages, 35.2 MB (12.1 MB/s), 40 s left [INBOX.Sent]". Pure.
std::string progress_text(const migrate::Tally& t, double seconds);

class ProgressLine final : public admin::Progress {
 public:
  ProgressLine();
  ~ProgressLine() override { finish(); }
  void update(const migrate::Tally& tally) override;
  void finish();  // clears the line on a terminal, for what is printed next

 private:
  using Clock = std::chrono::steady_clock;
  const bool terminal_;
  const Clock::time_point start_;
  std::mutex mutex_;
  Clock::time_point shown_;
  size_t width_ = 0;
};

}  // namespace gateway
