#include "wire/mail/envelope.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "wire/base/flags.h"
#include "wire/mail/address.h"
#include "wire/mail/header.h"
#include "wire/mail/imap_text.h"

namespace wire::mail {
namespace {

constexpr size_t max_addresses = 10'000;  // of all fields of one name together

struct EnvelopeFields {
  std::optional<std::string_view> date, subject, in_reply_to, message_id;  // of repeated ones the last
  std::vector<Address> from, sender, reply_to, to, cc, bcc;                // of repeated ones all
};

EnvelopeFields collect(std::string_view header) {
  EnvelopeFields out;
  FieldReader reader(header);
  for (Field field; reader.next(field);) {
    auto is = [&](std::string_view name) { return base::iequals(field.name, name); };
    auto append = [&](std::vector<Address>& list) {
      auto more = parse_address_list(field.value, max_addresses - std::min(max_addresses, list.size()));
      if (list.empty()) {
        list = std::move(more);
      } else {
        list.insert(list.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
      }
    };
    switch (field.name.size()) {
      case 2:
        if (is("to")) append(out.to);
        if (is("cc")) append(out.cc);
        break;
      case 3:
        if (is("bcc")) append(out.bcc);
        break;
      case 4:
        if (is("from")) append(out.from);
        if (is("date")) out.date = field.value;
        break;
      case 6:
        if (is("sender")) append(out.sender);
        break;
      case 7:
        if (is("subject")) out.subject = field.value;
        break;
      case 8:
        if (is("reply-to")) append(out.reply_to);
        break;
      case 10:
        if (is("message-id")) out.message_id = field.value;
        break;
      case 11:
        if (is("in-reply-to")) out.in_reply_to = field.value;
        break;
      default:
        break;
    }
  }
  return out;
}

void write_text(const std::optional<std::string_view>& value, std::string& out) {
  if (value) {
    write_string(unfold(*value), out);
  } else {
    out += "NIL";
  }
}

void write_addresses(const std::vector<Address>& list, std::string& out) {
  if (list.empty()) {
    out += "NIL";
    return;
  }
  out += '(';
  for (const Address& a : list) {
    out += '(';
    write_nstring(a.name, out);
    out += ' ';
    write_nstring(a.route, out);
    out += ' ';
    write_nstring(a.mailbox, out);
    out += ' ';
    write_nstring(a.host, out);
    out += ')';
  }
  out += ')';
}

}  // namespace

void write_envelope(std::string_view header, std::string& out) {
  EnvelopeFields fields = collect(header);
  out += '(';
  write_text(fields.date, out);
  out += ' ';
  write_text(fields.subject, out);
  // RFC 3501 7.4.2: an absent or empty Sender or Reply-To is shown as From.
  const auto* sender = fields.sender.empty() ? &fields.from : &fields.sender;
  const auto* reply_to = fields.reply_to.empty() ? &fields.from : &fields.reply_to;
  const std::vector<Address>* lists[] = {&fields.from, sender, reply_to, &fields.to, &fields.cc, &fields.bcc};
  for (const auto* list : lists) {
    out += ' ';
    write_addresses(*list, out);
  }
  out += ' ';
  write_text(fields.in_reply_to, out);
  out += ' ';
  write_text(fields.message_id, out);
  out += ')';
}

}  // namespace wire::mail
