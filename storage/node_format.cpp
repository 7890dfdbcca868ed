#include "storage/node_format.h"

#include <algorithm>
#include <charconv>

#include "storage/frame.h"
#include "wire/base/bytes.h"

namespace storage {
namespace {

std::filesystem::path marker(const std::filesystem::path& data_dir) { return data_dir / "format"; }

}  // namespace

Result<uint32_t> node_format(Env& env, const std::filesystem::path& data_dir) {
  Result<std::unique_ptr<File>> file = env.open(marker(data_dir), Env::Mode::read);
  if (!file && file.error().code == Errc::not_found) return 1u;
  if (!file) return file.error();
  uint8_t bytes[16];
  Result<size_t> n = (*file)->read_at(0, bytes);
  if (!n) return n.error();
  const char* text = reinterpret_cast<const char*>(bytes);
  const char* end = text + *n;
  uint32_t format = 0;
  auto [stop, wrong] = std::from_chars(text, end, format);
  const bool number = wrong == std::errc() && format > 0 && (stop == end || *stop == '\n');
  if (!number || format > newest_format) {
    return Failure(Errc::unsupported, "the data directory " + data_dir.string() + " says format " +
                                          (number ? std::to_string(format) : std::string("that is no number")) +
                                          ", and this build knows up to " + std::to_string(newest_format) +
                                          ": use the build that wrote it (file " + marker(data_dir).string() + ")");
  }
  return format;
}

Result<void> set_node_format(Env& env, const std::filesystem::path& data_dir, uint32_t format) {
  std::filesystem::path temporary = data_dir / "format.tmp";
  Result<std::unique_ptr<File>> file = env.open(temporary, Env::Mode::truncate);
  if (!file) return file.error();
  const std::string line = std::to_string(format) + "\n";
  if (Result<void> r = (*file)->write_at(0, wire::base::as_bytes(line)); !r) return r;
  if (Result<void> r = (*file)->sync(); !r) return r;
  if (Result<void> r = env.rename(temporary, marker(data_dir)); !r) return r;
  return env.sync_directory(data_dir);
}

Result<uint32_t> begin_node(Env& env, const std::filesystem::path& data_dir) {
  Result<std::vector<std::string>> names = env.list(data_dir);
  if (!names && names.error().code != Errc::not_found) return names.error();
  auto there = [&](const char* name) { return names && std::find(names->begin(), names->end(), name) != names->end(); };
  if (!there("format") && !there("control.db") && !there("accounts")) {
    if (Result<void> r = set_node_format(env, data_dir, newest_format); !r) return r.error();
  }
  return node_format(env, data_dir);
}

}  // namespace storage
