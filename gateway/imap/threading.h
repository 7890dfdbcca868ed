// THREAD=ORDEREDSUBJECT and THREAD=REFERENCES (RFC 5256 3) over what is known of the messages. Pure; any thread;
// nothing recurses, whatever the references of hostile mail make of the tree.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gateway::imap {

// Texts by number, each kept once: of a thread all messages name the same ids.
class Names {
 public:
  static constexpr uint32_t none = 0;  // of the empty text
  uint32_t of(std::string_view text);
  std::string_view text(uint32_t number) const { return texts_[number]; }
  size_t size() const { return texts_.size(); }

 private:
  std::deque<std::string> texts_{""};
  std::map<std::string_view, uint32_t> numbers_;  // ordered: strangers choose the texts, and could make hashes collide
};

struct ThreadMessage {
  uint32_t number = 0;             // the client's: sequence number or UID
  int64_t sent = 0;                // of its Date, or else INTERNALDATE; seconds
  uint32_t subject = Names::none;  // base subject, folded
  bool reply = false;              // the subject says so
  uint32_t id = Names::none;       // Message-ID
  std::vector<uint32_t> references;
};

// `messages` in the order of their sequence numbers. What stands behind "* THREAD ": "(1)(2 3)", or nothing.
std::string thread_by_subject(const std::vector<ThreadMessage>& messages, const Names& names);
// `cancelled`: nobody waits; then nothing.
std::string thread_by_references(const std::vector<ThreadMessage>& messages, const Names& names,
                                 const std::atomic<bool>& cancelled);

}  // namespace gateway::imap
