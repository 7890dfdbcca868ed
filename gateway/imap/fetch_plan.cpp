#include "gateway/imap/fetch_plan.h"

namespace gateway::imap {

using Form = FetchArgs::Part::Form;
using wire::imap::Section;
using wire::mail::SectionKind;

bool is_whole_message(const FetchArgs::Part& part) {
  if (part.form == Form::rfc822) return true;
  return part.form == Form::body && part.section.part.empty() && part.section.kind == Section::Kind::all;
}

bool is_message_header(const FetchArgs::Part& part) {
  if (part.form == Form::rfc822_header) return true;
  if (part.form != Form::body || !part.section.part.empty()) return false;
  return part.section.kind == Section::Kind::header || part.section.kind == Section::Kind::header_fields ||
         part.section.kind == Section::Kind::header_fields_not;
}

FetchPlan::FetchPlan(FetchArgs a) : args(std::move(a)) {
  with_uid = args.uid || args.wants(FetchArgs::uid_item);
  with_flags = args.wants(FetchArgs::flags);
  with_modseq = args.wants(FetchArgs::modseq) || args.changed_since.has_value();  // RFC 7162 3.1.4.1
  header = args.wants(FetchArgs::envelope);
  scan = args.wants(FetchArgs::body) || args.wants(FetchArgs::body_structure);
  for (const auto& part : args.parts) {
    sets_seen = sets_seen || part.sets_seen();
    if (is_whole_message(part)) {
      streams = true;
    } else if (is_message_header(part)) {
      header = true;
    } else {
      scan = true;
    }
  }
}

wire::imap::FetchSection reply_section(const FetchArgs::Part& part) {
  wire::imap::FetchSection out;
  switch (part.form) {
    case Form::body:
      out.form = wire::imap::FetchSection::Form::body;
      break;
    case Form::rfc822:
      out.form = wire::imap::FetchSection::Form::rfc822;
      break;
    case Form::rfc822_header:
      out.form = wire::imap::FetchSection::Form::rfc822_header;
      break;
    case Form::rfc822_text:
      out.form = wire::imap::FetchSection::Form::rfc822_text;
      break;
  }
  out.section = part.section;
  if (part.partial) out.origin = part.partial->offset;
  return out;
}

wire::mail::SectionSpec section_spec(const FetchArgs::Part& part) {
  wire::mail::SectionSpec out;
  if (part.form == Form::rfc822_header) out.kind = SectionKind::header;
  if (part.form == Form::rfc822_text) out.kind = SectionKind::text;
  if (part.form != Form::body) return out;
  out.path = part.section.part;
  out.fields = part.section.fields;
  switch (part.section.kind) {
    case Section::Kind::all:
      out.kind = SectionKind::whole;
      break;
    case Section::Kind::header:
      out.kind = SectionKind::header;
      break;
    case Section::Kind::header_fields:
      out.kind = SectionKind::header_fields;
      break;
    case Section::Kind::header_fields_not:
      out.kind = SectionKind::header_fields_not;
      break;
    case Section::Kind::mime:
      out.kind = SectionKind::mime;
      break;
    case Section::Kind::text:
      out.kind = SectionKind::text;
      break;
  }
  return out;
}

}  // namespace gateway::imap
