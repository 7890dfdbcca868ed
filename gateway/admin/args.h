// Reads the arguments of a verb: strict, so that a misspelt one is an error and never ignored. Values only; any thread.
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "wire/base/failure.h"

namespace gateway::admin {

class Args {
 public:
  explicit Args(const boost::json::object& args) : args_(args) {}

  std::string text(std::string_view name);  // required, not empty
  std::optional<std::string> optional_text(std::string_view name);
  std::vector<std::string> texts(std::string_view name);  // absent: empty
  bool flag(std::string_view name);                       // absent: false
  std::optional<uint64_t> number(std::string_view name);

  // After the last of these: the first thing that was wrong, an argument that nobody asked for included.
  std::optional<wire::base::Failure> problem() const;

 private:
  const boost::json::value* get(std::string_view name);
  void wrong(std::string_view name, std::string_view wanted);

  const boost::json::object& args_;
  std::set<std::string, std::less<>> known_;
  std::optional<wire::base::Failure> problem_;
};

}  // namespace gateway::admin
