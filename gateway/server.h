// `fairlead serve`: opens the listeners, says ready, runs until SIGTERM, drains. Composition only.
#pragma once

#include <memory>

#include "gateway/admin/verb.h"
#include "gateway/config/config.h"
#include "gateway/log.h"

namespace gateway {

// On the main thread; returns when the server has ended.
admin::Exit serve(std::shared_ptr<const config::Config> config, Log& log);

// What a long-lived process that holds secrets does first: no core dumps, no SIGPIPE, as many descriptors as allowed.
void harden_process();

}  // namespace gateway
