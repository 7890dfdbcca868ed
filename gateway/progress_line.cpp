#include "gateway/progress_line.h"

#include <unistd.h>

#include <cstdio>

#include "gateway/admin/render.h"

namespace gateway {

namespace {

constexpr std::chrono::milliseconds terminal_interval{200};
constexpr std::chrono::milliseconds line_interval{5'000};
constexpr double least_seconds_for_a_rate = 1;

}  // namespace

std::string progress_text(const migrate::Tally& t, double seconds) {
  std::string out = t.user.empty() ? "" : t.user + ": ";
  if (t.bytes_total != 0) {
    // A check reads bytes and counts no messages.
    out += admin::human_bytes(t.bytes) + " of " + admin::human_bytes(t.bytes_total);
    if (seconds < least_seconds_for_a_rate || t.bytes == 0) return out;
    const double rate = static_cast<double>(t.bytes) / seconds;
    const uint64_t left = t.bytes_total > t.bytes ? t.bytes_total - t.bytes : 0;
    out += " (" + admin::human_bytes(static_cast<uint64_t>(rate)) + "/s), ";
    return out + std::to_string(static_cast<uint64_t>(static_cast<double>(left) / rate + 0.5)) + " s left";
  }
  out += std::to_string(t.messages);
  if (t.messages_total != 0) out += " of " + std::to_string(t.messages_total);
  out += " messages, " + admin::human_bytes(t.bytes);
  if (seconds >= least_seconds_for_a_rate) {
    out += " (" + admin::human_bytes(static_cast<uint64_t>(static_cast<double>(t.bytes) / seconds)) + "/s)";
    if (t.messages != 0 && t.messages_total > t.messages) {
      const double left =
          seconds * static_cast<double>(t.messages_total - t.messages) / static_cast<double>(t.messages);
      out += ", " + std::to_string(static_cast<uint64_t>(left + 0.5)) + " s left";
    }
  }
  if (!t.mailbox.empty()) out += " [" + wire::base::escape(t.mailbox, 60) + "]";
  return out;
}

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) == 1), start_(Clock::now()), shown_(start_) {}

void ProgressLine::finish() {
  const std::lock_guard lock(mutex_);
  if (width_ != 0) std::fprintf(stderr, "\r%*s\r", static_cast<int>(width_), "");
  width_ = 0;
}

void ProgressLine::update(const migrate::Tally& tally) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  if (now - shown_ < (terminal_ ? terminal_interval : line_interval)) return;
  shown_ = now;
  const std::string text = progress_text(tally, std::chrono::duration<double>(now - start_).count());
  if (!terminal_) {
    std::fprintf(stderr, "%s\n", text.c_str());
    return;
  }
  const int pad = text.size() < width_ ? static_cast<int>(width_ - text.size()) : 0;
  std::fprintf(stderr, "\r%s%*s", text.c_str(), pad, "");
  std::fflush(stderr);
  width_ = text.size();
}

}  // namespace gateway
