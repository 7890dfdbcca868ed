// Where a user's store lives: <data_dir>/accounts/<two hex of a hash>/<safe encoding of the canonical user>. Pure.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace gateway::source {

// Lower-case letters, digits, '-', '_', '@' and inner dots stay; every other byte becomes =XX. One user, one name, and
// no name leaves the directory (design 11).
std::string safe_name(std::string_view canonical_user);

std::filesystem::path account_directory(const std::filesystem::path& data_dir, std::string_view canonical_user);

}  // namespace gateway::source
