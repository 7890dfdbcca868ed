// Which format the accounts of a node are written as: `<data_dir>/format`, one line with a number. A data directory
// without it is of the time before there was a choice, and of format 1.
//
// Blocking; any thread, one writer (the data directory's lock). Errors: io, no_space; unsupported: a later build wrote
// it.
#pragma once

#include <filesystem>

#include "storage/env.h"

namespace storage {

Result<uint32_t> node_format(Env& env, const std::filesystem::path& data_dir);
// Durable when it returns. There is no way back to builds that know less.
Result<void> set_node_format(Env& env, const std::filesystem::path& data_dir, uint32_t format);
// At the start of a process, before anything is made in the directory: a new one begins with the newest format.
Result<uint32_t> begin_node(Env& env, const std::filesystem::path& data_dir);

}  // namespace storage
