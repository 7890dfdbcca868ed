#include "tests/fault/fault_env.h"

#include <algorithm>
#include <optional>
#include <random>

namespace storage {
namespace {

constexpr size_t sector = 512;

struct Write {  // or, with no bytes and `size` set, a truncation
  uint64_t offset = 0;
  std::vector<uint8_t> bytes;
  std::optional<uint64_t> size;
};

struct Inode {
  std::vector<uint8_t> data, durable;
  std::vector<Write> unsynced;

  static void put(std::vector<uint8_t>& to, uint64_t offset, std::span<const uint8_t> bytes) {
    if (to.size() < offset + bytes.size()) to.resize(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<ptrdiff_t>(offset));
  }
};
using InodePtr = std::shared_ptr<Inode>;

struct Entry {  // a change of one directory
  std::string directory;
  std::vector<std::pair<std::string, InodePtr>>
      names;  // null: gone; a rename within it has two, which survive together
};

}  // namespace

struct FaultEnv::Disk {
  std::map<std::string, InodePtr> names, durable_names;
  std::set<std::string> directories{"/disk"}, durable_directories{"/disk"};
  std::vector<Entry> unsynced;
  uint64_t operations = 0, fail_at = 0, die_at = 0;
  Errc code = Errc::io;
  bool partly = false;
  bool in_hook = false, paused = false;
  size_t piece = SIZE_MAX;
  std::function<void()> hook;
  int64_t time = 1'700'000'000;
  std::mt19937_64 random{1};

  void look_on() {
    if (in_hook || paused || !hook) return;
    in_hook = true;
    hook();
    in_hook = false;
  }
  // What the operation meets: nothing, or a failure.
  std::optional<Failure> next() {
    if (in_hook || paused) return {};
    look_on();
    ++operations;
    if (die_at != 0 && operations >= die_at) return Failure(Errc::io, "the machine is down");
    if (operations == fail_at) return Failure(code, "failed on purpose");
    return {};
  }
  bool now_partly() const { return partly && (operations == fail_at || (die_at != 0 && operations == die_at)); }
};

class FaultFile final : public File {
 public:
  FaultFile(std::shared_ptr<FaultEnv::Disk> disk, InodePtr inode) : disk_(std::move(disk)), inode_(std::move(inode)) {}

  Result<size_t> read_at(uint64_t offset, std::span<uint8_t> out) const override {
    if (std::optional<Failure> f = disk_->next()) return *f;
    const std::vector<uint8_t>& d = inode_->data;
    size_t n = offset < d.size() ? std::min<size_t>(out.size(), d.size() - offset) : 0;
    std::copy_n(d.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(offset, d.size())), n, out.begin());
    return n;
  }
  Result<void> write_at(uint64_t offset, std::span<const uint8_t> bytes) override {
    std::optional<Failure> f = disk_->next();
    if (f && !disk_->now_partly()) return *f;
    if (f) bytes = bytes.first(bytes.size() / 2);
    for (size_t at = 0; at < bytes.size();) {
      if (at > 0) disk_->look_on();
      const size_t n = std::min(disk_->piece, bytes.size() - at);
      Inode::put(inode_->data, offset + at, bytes.subspan(at, n));
      at += n;
    }
    inode_->unsynced.push_back({offset, {bytes.begin(), bytes.end()}, {}});
    if (f) return *f;
    return {};
  }
  Result<void> truncate(uint64_t size) override {
    if (std::optional<Failure> f = disk_->next()) return *f;
    inode_->data.resize(size);
    inode_->unsynced.push_back({0, {}, size});
    return {};
  }
  Result<void> sync() override {
    if (std::optional<Failure> f = disk_->next()) return *f;
    inode_->durable = inode_->data;
    inode_->unsynced.clear();
    return {};
  }
  Result<uint64_t> size() const override {
    if (std::optional<Failure> f = disk_->next()) return *f;
    return inode_->data.size();
  }

 private:
  std::shared_ptr<FaultEnv::Disk> disk_;
  InodePtr inode_;
};

FaultEnv::FaultEnv() : disk_(std::make_shared<Disk>()) {}
FaultEnv::~FaultEnv() = default;

void FaultEnv::fail(uint64_t operation, Errc code, bool partly) {
  disk_->fail_at = operation;
  disk_->code = code;
  disk_->partly = partly;
}
void FaultEnv::pause(bool on) { disk_->paused = on; }
void FaultEnv::die(uint64_t operation) { disk_->die_at = operation; }
void FaultEnv::heal() { disk_->fail_at = disk_->die_at = disk_->operations = 0; }
uint64_t FaultEnv::operations() const { return disk_->operations; }
void FaultEnv::on_operation(std::function<void()> hook) { disk_->hook = std::move(hook); }
void FaultEnv::write_in_pieces(size_t bytes) { disk_->piece = bytes; }
void FaultEnv::set_time(int64_t seconds) { disk_->time = seconds; }

std::unique_ptr<FaultEnv> FaultEnv::image(Survives what, uint32_t seed) const {
  std::mt19937 random(seed);
  auto chance = [&] { return random() % 2 == 0; };
  auto boot = std::make_unique<FaultEnv>();
  Disk& d = *boot->disk_;
  d.time = disk_->time;
  d.random.seed(seed + 1000);
  std::map<InodePtr, InodePtr> copies;
  auto copy = [&](const InodePtr& from) {
    InodePtr& to = copies[from];
    if (to) return to;
    to = std::make_shared<Inode>();
    to->data = what == Survives::all ? from->data : from->durable;
    if (what == Survives::some) {
      for (const Write& w : from->unsynced) {
        if (w.size) {
          if (chance()) to->data.resize(*w.size);
          continue;
        }
        // Nothing, all of it, or any of its sectors.
        uint32_t fate = random() % 3;
        for (size_t at = 0; at < w.bytes.size() && fate != 0; at += sector) {
          size_t n = std::min(sector, w.bytes.size() - at);
          if (fate == 1 || chance()) Inode::put(to->data, w.offset + at, std::span(w.bytes).subspan(at, n));
        }
      }
    }
    to->durable = to->data;
    return to;
  };
  std::map<std::string, InodePtr> names = what == Survives::all ? disk_->names : disk_->durable_names;
  d.directories = what == Survives::synced ? disk_->durable_directories : disk_->directories;
  // Sets are sorted: a parent is looked at before its children.
  std::set<std::string> reachable;
  for (const std::string& dir : d.directories) {
    std::string parent = std::filesystem::path(dir).parent_path().string();
    if (dir == "/disk" || reachable.count(parent) != 0) reachable.insert(dir);
  }
  d.directories = std::move(reachable);
  if (what == Survives::some) {
    for (const Entry& e : disk_->unsynced) {
      if (!chance()) continue;
      for (const auto& [name, inode] : e.names) {
        if (inode) {
          names[name] = inode;
        } else {
          names.erase(name);
        }
      }
    }
  }
  for (const auto& [name, inode] : names) {
    if (d.directories.count(std::filesystem::path(name).parent_path().string()) != 0) d.names[name] = copy(inode);
  }
  d.durable_names = d.names;
  d.durable_directories = d.directories;
  return boot;
}

std::vector<std::string> FaultEnv::paths() const {
  std::vector<std::string> all;
  for (const auto& [name, inode] : disk_->names) all.push_back(name);
  return all;
}

std::vector<uint8_t> FaultEnv::bytes(const std::string& path) const { return disk_->names.at(path)->data; }

void FaultEnv::replace(const std::string& path, std::vector<uint8_t> bytes) {
  auto inode = std::make_shared<Inode>();
  inode->data = inode->durable = std::move(bytes);
  disk_->names[path] = disk_->durable_names[path] = inode;
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  for (; parent.has_relative_path(); parent = parent.parent_path()) {
    disk_->directories.insert(parent.string());
    disk_->durable_directories.insert(parent.string());
  }
}

void FaultEnv::forget(const std::string& path) {
  disk_->names.erase(path);
  disk_->durable_names.erase(path);
}

Result<std::unique_ptr<File>> FaultEnv::open(const std::filesystem::path& path, Mode mode) {
  if (std::optional<Failure> f = disk_->next()) return *f;
  auto it = disk_->names.find(path.string());
  bool there = it != disk_->names.end();
  if (!there && (mode == Mode::read || mode == Mode::write)) return Failure(Errc::not_found, "no such file");
  if (there && mode == Mode::create) return Failure(Errc::exists, "file exists");
  if (disk_->directories.count(path.parent_path().string()) == 0) return Failure(Errc::not_found, "no such directory");
  InodePtr inode;
  if (there) {
    inode = it->second;
    if (mode == Mode::truncate) {
      inode->data.clear();
      inode->unsynced.push_back({0, {}, 0});
    }
  } else {
    inode = std::make_shared<Inode>();
    disk_->names[path.string()] = inode;
    disk_->unsynced.push_back({path.parent_path().string(), {{path.string(), inode}}});
  }
  return std::unique_ptr<File>(std::make_unique<FaultFile>(disk_, inode));
}

Result<std::vector<std::string>> FaultEnv::list(const std::filesystem::path& directory) {
  if (std::optional<Failure> f = disk_->next()) return *f;
  if (disk_->directories.count(directory.string()) == 0) return Failure(Errc::not_found, "no such directory");
  std::vector<std::string> names;
  for (const auto& [name, inode] : disk_->names) {
    std::filesystem::path p(name);
    if (p.parent_path() == directory) names.push_back(p.filename().string());
  }
  return names;
}

Result<void> FaultEnv::make_directory(const std::filesystem::path& path) {
  if (std::optional<Failure> f = disk_->next()) return *f;
  for (std::filesystem::path p = path; p.has_relative_path(); p = p.parent_path())
    disk_->directories.insert(p.string());
  return {};
}

Result<void> FaultEnv::rename(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (std::optional<Failure> f = disk_->next()) return *f;
  auto it = disk_->names.find(from.string());
  if (it == disk_->names.end()) return Failure(Errc::not_found, "no such file");
  InodePtr inode = it->second;
  disk_->names.erase(it);
  disk_->names[to.string()] = inode;
  if (from.parent_path() == to.parent_path()) {
    disk_->unsynced.push_back({to.parent_path().string(), {{from.string(), nullptr}, {to.string(), inode}}});
  } else {
    // Two directories: nobody promises that both halves survive, or in which order.
    disk_->unsynced.push_back({from.parent_path().string(), {{from.string(), nullptr}}});
    disk_->unsynced.push_back({to.parent_path().string(), {{to.string(), inode}}});
  }
  return {};
}

Result<void> FaultEnv::remove(const std::filesystem::path& path) {
  if (std::optional<Failure> f = disk_->next()) return *f;
  if (disk_->names.erase(path.string()) == 0) return Failure(Errc::not_found, "no such file");
  disk_->unsynced.push_back({path.parent_path().string(), {{path.string(), nullptr}}});
  return {};
}

Result<void> FaultEnv::sync_directory(const std::filesystem::path& path) {
  if (std::optional<Failure> f = disk_->next()) return *f;
  std::string directory = path.string();
  for (const Entry& e : disk_->unsynced) {
    if (e.directory != directory) continue;
    for (const auto& [name, inode] : e.names) {
      if (inode) {
        disk_->durable_names[name] = inode;
      } else {
        disk_->durable_names.erase(name);
      }
    }
  }
  std::erase_if(disk_->unsynced, [&](const Entry& e) { return e.directory == directory; });
  for (const std::string& d : disk_->directories) {
    if (std::filesystem::path(d).parent_path() == path) disk_->durable_directories.insert(d);
  }
  return {};
}

int64_t FaultEnv::now() { return disk_->time; }

void FaultEnv::random(std::span<uint8_t> out) {
  for (uint8_t& b : out) b = static_cast<uint8_t>(disk_->random());
}

}  // namespace storage
