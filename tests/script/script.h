// Scripts of IMAP exchanges in fixtures/scripts: what a client says and what it must, may not, hear. The grammar is
// close to that of the known IMAP server testers:
//
//   # a comment
//   covers: FETCH UID-FETCH      (header lines up to the first empty line; which table rows this script is for)
//   login: no                    (default yes: every connection is greeted and logged in as alice)
//
//   ok select INBOX              a command on connection 1; ok, no or bad is what the tagged reply must be
//   * 3 EXISTS                   an untagged reply that must come, in any order
//   ! * $n EXPUNGE               one that must not come
//   < [READ-WRITE] $$            what stands after OK in the tagged reply
//   2 ok noop                    connection 2; made when first named
//
//   ok append INBOX {{{          a literal (sent as LITERAL+): the lines up to }}}, each with CRLF
//   Subject: x
//   }}}
//
//   start idle                   a command whose end is not waited for
//   read + $$                    the next line must be this
//   send DONE                    a raw line
//   end ok                       the end of the started command
//   closed                       the server has closed the connection
//
// In commands $name is what an earlier reply gave. In patterns $name takes a word (no space or bracket) at its first
// use and must be the same word later; $$ takes the rest. Literals in replies are written {{{bytes}}} with \r and \n
// escaped.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/script/test_gateway.h"

namespace tests::script {

struct Script {
  struct Step {
    enum class Kind : uint8_t { command, start, end, send, read, closed } kind = Kind::command;
    int line = 0;
    int connection = 1;
    std::string condition;  // OK, NO, BAD
    std::string text;       // with literals, without tag and last CRLF
    std::vector<std::string> expected, forbidden;
    std::optional<std::string> tagged;
  };
  std::string name;
  std::vector<std::string> covers;
  bool login = true;
  std::vector<Step> steps;
};

// Throws std::runtime_error with file and line.
Script load_script(const std::filesystem::path& file);

// "" when all went as written; else what did not, with file and line.
std::string run_script(const Script& script, TestGateway& gateway);

using Captures = std::map<std::string, std::string, std::less<>>;
// Adds to `captures` only on success.
bool matches(std::string_view pattern, std::string_view text, Captures& captures);

}  // namespace tests::script
