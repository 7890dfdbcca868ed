// The tagged reply of a command, and the one place where a Failure becomes one (RFC 3501 7.1, RFC 5530). Values; any
// thread.
#pragma once

#include <string>

#include "wire/base/failure.h"
#include "wire/imap/resp_code.h"
#include "wire/imap/response.h"

namespace gateway::imap {

using wire::base::Errc;
using wire::base::Failure;
using wire::base::Result;
using wire::imap::Code;
using wire::imap::Condition;
using wire::imap::RespCode;

struct Reply {
  Condition condition = Condition::ok;
  RespCode code;
  std::string text;
  bool sent = false;  // the tagged line went out already (STARTTLS)

  static Reply ok(std::string text) { return {Condition::ok, RespCode(), std::move(text)}; }
  static Reply ok(RespCode code, std::string text) { return {Condition::ok, std::move(code), std::move(text)}; }
  static Reply no(RespCode code, std::string text) { return {Condition::no, std::move(code), std::move(text)}; }
  static Reply bad(std::string text) { return {Condition::bad, RespCode(), std::move(text)}; }
};

// Who is asking, so that a line in the log can be traced back.
struct Asker {
  std::string user, client, command;
};

// Syntax is BAD, a refusal is NO with its code. What nobody foresaw is NO [SERVERBUG] with an incident id, and the log
// has a line with that id and the whole story. `missing`: the code for Errc::not_found (TRYCREATE for a destination).
Reply reply_to(const Failure& failure, const Asker& asker, Code missing = Code::nonexistent);

// Logs an error and returns the id to quote to the client: unique in this process and unlikely elsewhere.
std::string log_incident(const Asker& asker, const std::string& what);

}  // namespace gateway::imap
