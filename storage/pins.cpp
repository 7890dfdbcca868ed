#include "storage/pins.h"

#include <algorithm>

#include "storage/coding.h"
#include "storage/crc32c.h"

namespace storage {
namespace {

constexpr std::string_view magic = "FLPINS01";
constexpr size_t max_file = 4u << 20;

std::filesystem::path path_of(const std::filesystem::path& directory) { return directory / "pins"; }

Result<void> write(Env& env, const std::filesystem::path& directory, const std::vector<Pin>& pins) {
  Buffer out;
  out.put_bytes(wire::base::as_bytes(magic));
  out.put_varint(pins.size());
  for (const Pin& p : pins) {
    out.put<uint8_t>(static_cast<uint8_t>(p.kind));
    out.put<uint64_t>(p.lsn.value);
    out.put<uint64_t>(static_cast<uint64_t>(p.made));
    out.put_text(p.name);
    out.put_text(p.reason);
  }
  out.put<uint32_t>(crc32c(out.bytes()));
  std::filesystem::path temporary = directory / "pins.tmp";
  Result<std::unique_ptr<File>> file = env.open(temporary, Env::Mode::truncate);
  if (!file) return file.error();
  if (Result<void> r = (*file)->write_at(0, out.bytes()); !r) return r;
  if (Result<void> r = (*file)->sync(); !r) return r;
  if (Result<void> r = env.rename(temporary, path_of(directory)); !r) return r;
  return env.sync_directory(directory);
}

}  // namespace

Result<std::vector<Pin>> read_pins(Env& env, const std::filesystem::path& directory) {
  std::vector<Pin> pins;
  Result<std::unique_ptr<File>> file = env.open(path_of(directory), Env::Mode::read);
  if (!file && file.error().code == Errc::not_found) return pins;
  if (!file) return file.error();
  Result<uint64_t> size = (*file)->size();
  if (!size) return size.error();
  const Failure damaged(Errc::corrupt, "the file of pins is damaged");
  if (*size < magic.size() + 5 || *size > max_file) return damaged;
  Buffer bytes;
  bytes.resize(static_cast<size_t>(*size));
  Result<size_t> n = (*file)->read_at(0, {bytes.data(), bytes.size()});
  if (!n) return n.error();
  size_t checked = bytes.size() - 4;
  if (*n != bytes.size() || crc32c(bytes.bytes(0, checked)) != load_le<uint32_t>(bytes.data() + checked)) {
    return damaged;
  }
  Reader in(bytes.bytes(0, checked));
  if (wire::base::as_text(in.bytes(magic.size())) != magic) return damaged;
  for (size_t left = in.count(19); left > 0; --left) {
    Pin p;
    auto kind = in.get<uint8_t>();
    // A kind of a later build forbids as much as can be.
    p.kind = kind == static_cast<uint8_t>(PinKind::journal) ? PinKind::journal : PinKind::backup;
    p.lsn = Lsn(in.get<uint64_t>());
    p.made = static_cast<int64_t>(in.get<uint64_t>());
    p.name = in.text();
    p.reason = in.text();
    pins.push_back(std::move(p));
  }
  if (!in.ok() || !in.at_end()) return damaged;
  return pins;
}

Result<void> add_pin(Env& env, const std::filesystem::path& directory, const Pin& pin) {
  Result<std::vector<Pin>> pins = read_pins(env, directory);
  if (!pins) return pins.error();
  if (pin.name.empty() || pin.name.size() > 256 || pin.reason.size() > 1024) {
    return Failure(Errc::limit, "name or reason of a pin too long");
  }
  std::erase_if(*pins, [&](const Pin& p) { return p.name == pin.name; });
  if (pins->size() >= max_pins) return Failure(Errc::limit, "too many pins");
  pins->push_back(pin);
  return write(env, directory, *pins);
}

Result<void> remove_pin(Env& env, const std::filesystem::path& directory, const std::string& name) {
  Result<std::vector<Pin>> pins = read_pins(env, directory);
  if (!pins) return pins.error();
  if (std::erase_if(*pins, [&](const Pin& p) { return p.name == name; }) == 0) {
    return Failure(Errc::not_found, "there is no such pin");
  }
  return write(env, directory, *pins);
}

Lsn free_below(const std::vector<Pin>& pins) {
  Lsn lowest(UINT64_MAX);
  for (const Pin& p : pins) lowest = std::min(lowest, p.kind == PinKind::journal ? p.lsn : Lsn(0));
  return lowest;
}

}  // namespace storage
