// export, import: mail out and in as Maildir or mbox.
#include <boost/json/array.hpp>
#include <boost/json/value.hpp>

#include "gateway/admin/args.h"
#include "gateway/admin/render.h"
#include "gateway/admin/verbs.h"
#include "gateway/migrate/archive.h"

namespace gateway::admin {

namespace {

namespace json = boost::json;

VerbResult render_archive(const migrate::ArchiveReport& r, const char* did, const std::string& directory) {
  VerbResult out;
  out.exit = r.failed.empty() ? Exit::done : Exit::no;
  out.json["user"] = r.user;
  out.json["format"] = migrate::to_string(r.format);
  out.json["directory"] = directory;
  out.json["mailboxes"] = r.mailboxes;
  out.json["messages"] = r.messages;
  out.json["bytes"] = r.bytes;
  out.json["there_before"] = r.there_before;
  out.json["left_out"] = r.left_out;
  json::array failures;
  out.text = r.user + ": " + did + " " + std::to_string(r.messages) + " messages in " + std::to_string(r.mailboxes) +
             " mailboxes, " + human_bytes(r.bytes) + ", as " + migrate::to_string(r.format);
  if (r.there_before != 0) out.text += "; " + std::to_string(r.there_before) + " were there already";
  out.text += "\n";
  for (const auto& f : r.failed) {
    json::object o;
    o["mailbox"] = wire::base::escape(f.mailbox);
    o["uid"] = f.uid;
    o["why"] = f.why;
    failures.push_back(std::move(o));
    out.text +=
        "  left out: '" + wire::base::escape(f.mailbox) + "' uid " + std::to_string(f.uid) + ": " + f.why + "\n";
  }
  out.json["failed"] = std::move(failures);
  out.json["notes"] = json_list(r.notes);
  for (const std::string& n : r.notes) out.text += "  " + n + "\n";
  return out;
}

// The directory is where this process finds it: the command line makes it absolute before it asks a server.
Result<std::filesystem::path> directory_of(const std::string& text) {
  std::filesystem::path out(text);
  if (!out.is_absolute()) return Failure(Errc::usage, "the directory must be an absolute path");
  return out.lexically_normal();
}

Result<std::optional<migrate::ArchiveFormat>> format_of(const std::optional<std::string>& text) {
  if (!text) return std::optional<migrate::ArchiveFormat>();
  auto out = migrate::archive_format(*text);
  if (!out) return Failure(Errc::usage, "--format is maildir or mbox");
  return out;
}

}  // namespace

awaitable<VerbResult> export_mail(Context& context, json::object args, Progress& progress) {
  Args a(args);
  const std::string typed = a.text("user");
  const std::string directory = a.text("directory");
  const std::optional<std::string> format = a.optional_text("format");
  if (const auto problem = a.problem()) co_return failed(*problem);
  Result<control::User> user = co_await find_user(context, typed);
  if (!user) co_return failed(user.error());
  auto as = format_of(format);
  if (!as) co_return failed(as.error());
  auto where = directory_of(directory);
  if (!where) co_return failed(where.error());
  migrate::OnProgress hear = [&progress](const migrate::Tally& t) { progress.update(t); };
  const migrate::ArchiveFormat chosen = as->value_or(migrate::ArchiveFormat::maildir);
  auto report = co_await migrate::export_account(context.services, user->name, chosen, *where, hear);
  if (!report) co_return failed(user->name, report.error());
  co_return render_archive(*report, "exported", directory);
}

awaitable<VerbResult> import_mail(Context& context, json::object args, Progress& progress) {
  Args a(args);
  const std::string typed = a.text("user");
  const std::string directory = a.text("directory");
  const std::optional<std::string> format = a.optional_text("format");
  if (const auto problem = a.problem()) co_return failed(*problem);
  Result<control::User> user = co_await find_user(context, typed);
  if (!user) co_return failed(user.error());
  auto as = format_of(format);
  if (!as) co_return failed(as.error());
  auto where = directory_of(directory);
  if (!where) co_return failed(where.error());
  migrate::OnProgress hear = [&progress](const migrate::Tally& t) { progress.update(t); };
  auto report = co_await migrate::import_account(context.services, user->name, *where, *as, hear);
  if (!report) co_return failed(user->name, report.error());
  co_return render_archive(*report, "imported", directory);
}

}  // namespace gateway::admin
