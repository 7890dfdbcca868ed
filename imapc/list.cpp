#include "imapc/list.h"

#include <unordered_map>

namespace imapc {

using wire::base::iequals;
using wire::imap::StatusItems;

namespace {

bool is_subscription_mark(std::string_view attribute) {
  return iequals(attribute, "\\Subscribed") || iequals(attribute, "\\NonExistent");
}

// What the server can be asked without a BAD.
StatusItems supported(const Connection& connection, StatusItems items) {
  const wire::imap::Capabilities& can = connection.capabilities();
  if (!can.has("CONDSTORE") && !can.has("QRESYNC")) items.bits &= ~StatusItems::highest_modseq;
  if (!can.has("STATUS=SIZE") && !can.has("IMAP4rev2")) items.bits &= ~StatusItems::size;
  if (!can.has("OBJECTID")) items.bits &= ~StatusItems::mailbox_id;
  if (!can.has("QUOTA=RES-STORAGE")) items.bits &= ~StatusItems::deleted_storage;
  if (!can.has("QUOTA=RES-MESSAGE") && !can.has("IMAP4rev2")) items.bits &= ~StatusItems::deleted;
  if (can.value("APPENDLIMIT").empty() && !can.has("APPENDLIMIT")) items.bits &= ~StatusItems::append_limit;
  return items;
}

class Tree {
 public:
  void add(const wire::imap::ListData& data, bool subscriptions) {
    ListedMailbox& box = at(data);
    if (!subscriptions) {
      const bool gone = data.has("\\NonExistent");
      box.exists = !gone;
      for (const std::string& attribute : data.attributes) {
        if (!is_subscription_mark(attribute)) box.attributes.push_back(attribute);
      }
    }
    // LSUB shows unsubscribed parents of subscribed mailboxes as \Noselect (RFC 3501 6.3.9).
    if (data.has("\\Subscribed") || (data.lsub && !data.has("\\Noselect"))) box.subscribed = true;
  }

  void add(StatusData status) {
    auto it = index_.find(status.name.octets);
    if (it != index_.end()) boxes_[it->second].status = std::move(status);
  }

  std::vector<ListedMailbox> take() {
    // A parent that LSUB only mentions, and an answer of LIST (SUBSCRIBED) without the mark, say nothing.
    std::erase_if(boxes_, [](const ListedMailbox& b) { return !b.exists && !b.subscribed; });
    return std::move(boxes_);
  }

  std::vector<ListedMailbox>& boxes() { return boxes_; }

 private:
  ListedMailbox& at(const wire::imap::ListData& data) {
    auto [it, fresh] = index_.try_emplace(data.name.octets, boxes_.size());
    if (fresh) {
      ListedMailbox box;
      box.name = data.name.octets;
      box.separator = data.separator;
      box.exists = false;
      boxes_.push_back(std::move(box));
    }
    return boxes_[it->second];
  }

  std::vector<ListedMailbox> boxes_;
  std::unordered_map<std::string, size_t> index_;
};

}  // namespace

bool ListedMailbox::has(std::string_view attribute) const {
  for (const std::string& a : attributes) {
    if (iequals(a, attribute)) return true;
  }
  return false;
}

awaitable<std::vector<Result<StatusData>>> status_of(Connection& connection, std::vector<std::string> mailboxes,
                                                     StatusItems items) {
  items = supported(connection, items);
  std::vector<Call<StatusData>> calls;
  calls.reserve(mailboxes.size());
  for (std::string& mailbox : mailboxes) calls.push_back(connection.status(std::move(mailbox), items));
  std::vector<Result<StatusData>> out;
  out.reserve(calls.size());
  for (Call<StatusData>& call : calls) {
    Result<StatusData> one = co_await call.get();
    out.push_back(std::move(one));
  }
  co_return out;
}

awaitable<Result<std::vector<ListedMailbox>>> list_tree(Connection& connection, TreeRequest request) {
  const wire::imap::Capabilities& can = connection.capabilities();
  const bool extended = can.has("LIST-EXTENDED") || can.has("IMAP4rev2");
  const bool with_status = request.status.bits != 0 && extended && (can.has("LIST-STATUS") || can.has("IMAP4rev2"));
  wire::imap::cmd::List all;
  all.reference = request.reference;
  all.patterns.push_back(request.pattern);
  if (extended) {
    all.extended = all.return_subscribed = true;
    all.return_children = true;
    all.return_special_use = can.has("SPECIAL-USE");
  }
  if (with_status) all.return_status = supported(connection, request.status);
  Call<Connection::Listed> listing = connection.list(all);
  // Subscriptions of mailboxes that do not exist are only told when asked for.
  wire::imap::cmd::List subscribed;
  subscribed.reference = request.reference;
  subscribed.patterns.push_back(request.pattern);
  subscribed.extended = subscribed.select_subscribed = true;
  Call<Connection::Listed> subscriptions =
      extended ? connection.list(subscribed) : connection.lsub(request.reference, request.pattern);

  Result<Connection::Listed> listed = co_await listing.get();
  if (!listed) co_return listed.error();
  Result<Connection::Listed> marked = co_await subscriptions.get();
  if (!marked) co_return marked.error();

  Tree tree;
  for (const wire::imap::ListData& data : listed->mailboxes) tree.add(data, false);
  for (const wire::imap::ListData& data : marked->mailboxes) tree.add(data, true);
  for (StatusData& status : listed->status) tree.add(std::move(status));
  std::vector<ListedMailbox> boxes = tree.take();
  if (request.status.bits == 0) co_return boxes;

  // Also what LIST-STATUS left out.
  std::vector<std::string> names;
  std::vector<size_t> where;
  for (size_t i = 0; i < boxes.size(); ++i) {
    if (!boxes[i].selectable() || boxes[i].status) continue;
    names.push_back(boxes[i].name);
    where.push_back(i);
  }
  std::vector<Result<StatusData>> answers = co_await status_of(connection, std::move(names), request.status);
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i]) {
      boxes[where[i]].status = std::move(*answers[i]);
    } else if (!connection.is_open()) {
      co_return answers[i].error();
    } else {
      boxes[where[i]].status_failure = answers[i].error();
    }
  }
  co_return boxes;
}

}  // namespace imapc
