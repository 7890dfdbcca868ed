// What a damaged index.snap no longer says of a message, from the log it was made of. Private to storage; any thread.
// Reads the whole log once, when it is first needed, and holds what it says; must not outlive the Env.
#pragma once

#include <filesystem>

#include "storage/cold_store.h"

namespace storage {

std::shared_ptr<const ColdFile> cold_file(Env& env, const std::filesystem::path& directory,
                                          std::shared_ptr<const File> snapshot, Lsn lsn,
                                          std::shared_ptr<ColdHealth> health);

}  // namespace storage
