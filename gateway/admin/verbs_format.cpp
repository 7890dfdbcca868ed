// finalize-format: from now on accounts are written in the newest format of the store. One decision for the node.
#include "gateway/admin/verbs.h"
#include "storage/frame.h"
#include "storage/node_format.h"
#include "wire/net/pool.h"

namespace gateway::admin {

namespace json = boost::json;

awaitable<VerbResult> finalize_format(Context& context, json::object, Progress&) {
  storage::Env* env = &context.services.env;
  const std::filesystem::path data_dir = context.services.config.data_dir;
  auto work = [env, data_dir]() -> Result<uint32_t> {
    Result<uint32_t> now = storage::node_format(*env, data_dir);
    if (!now || *now == storage::newest_format) return now;
    if (Result<void> r = storage::set_node_format(*env, data_dir, storage::newest_format); !r) return r.error();
    return now;
  };
  Result<uint32_t> before = co_await wire::net::run_on_pool(context.services.blocking, work);
  if (!before) co_return failed(before.error());
  VerbResult out;
  const std::string newest = std::to_string(storage::newest_format);
  out.json["before"] = *before;
  out.json["format"] = storage::newest_format;
  if (*before == storage::newest_format) {
    out.text = "accounts are written in format " + newest + " already\n";
  } else {
    out.text = "from now on accounts are written in format " + newest +
               ", each from the next time that it is opened.\n" +
               "There is no way back to a build that knows only format " + std::to_string(*before) +
               ": it refuses such an account and leaves it as it is.\n";
  }
  co_return out;
}

}  // namespace gateway::admin
