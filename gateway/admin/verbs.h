// The handlers behind the table (table.cpp), grouped by file. See verb.h for what they share.
#pragma once

#include "gateway/admin/verb.h"

namespace gateway::admin {

// verbs_user.cpp
awaitable<VerbResult> user_add(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> user_list(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> user_password(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> user_remove(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> user_show(Context& context, boost::json::object args, Progress& progress);

// verbs_status.cpp
awaitable<VerbResult> kick(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> status(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> who(Context& context, boost::json::object args, Progress& progress);

// verbs_archive.cpp
awaitable<VerbResult> export_mail(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> import_mail(Context& context, boost::json::object args, Progress& progress);

// verbs_backup.cpp
awaitable<VerbResult> backup_begin(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> backup_end(Context& context, boost::json::object args, Progress& progress);

// verbs_doctor.cpp
awaitable<VerbResult> doctor(Context& context, boost::json::object args, Progress& progress);

// verbs_format.cpp
awaitable<VerbResult> finalize_format(Context& context, boost::json::object args, Progress& progress);

// verbs_migrate.cpp
awaitable<VerbResult> cutover(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> probe(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> rollback(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> sync(Context& context, boost::json::object args, Progress& progress);
awaitable<VerbResult> verify(Context& context, boost::json::object args, Progress& progress);

// verbs_space.cpp
awaitable<VerbResult> compact(Context& context, boost::json::object args, Progress& progress);

// For handlers: blocking calls of the control database, on the pool; the fields of their results.
awaitable<Result<control::User>> find_user(Context& context, std::string typed);
awaitable<Result<std::vector<control::User>>> all_users(Context& context);
boost::json::array json_list(const std::vector<std::string>& texts);
std::string joined(const std::vector<std::string>& texts, std::string_view separator);
std::string utc_time(int64_t seconds);  // "2026-11-21 22:40:03Z"

}  // namespace gateway::admin
