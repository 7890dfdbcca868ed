#include "storage/account_impl.h"

namespace storage {

Result<bool> Account::Impl::use_snapshot(const std::vector<SegmentName>&, SnapshotBase&) { return false; }
Result<void> Account::Impl::checkpoint() { return {}; }

}  // namespace storage
