// The command line (contract: "The command line"): parses, runs one verb, prints its answer. The main thread.
#pragma once

namespace gateway {

int run_command_line(int argc, char** argv);

}  // namespace gateway
