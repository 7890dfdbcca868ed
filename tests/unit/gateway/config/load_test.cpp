#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "gateway/config/config.h"
#include "gateway/config/url.h"

namespace gateway::config {
namespace {

namespace fs = std::filesystem;

class Load : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "fairlead-config-XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    write("cert.pem", "x");
    write("key.pem", "x");
    write("admin", "secret\n");
  }
  void TearDown() override { fs::remove_all(dir_); }

  void write(const std::string& name, const std::string& text) { std::ofstream(dir_ / name) << text; }
  Loaded read(const std::string& text) {
    write("fairlead.toml", text);
    return load(dir_ / "fairlead.toml");
  }
  static std::string all(const Loaded& l) {
    std::string out;
    for (const Problem& p : l.problems) {
      out += (p.fatal ? "E" : "W") + std::to_string(p.line) + " " + p.what + " -- " + p.remedy + "\n";
    }
    return out;
  }

  fs::path dir_;
};

constexpr const char* full = R"(data_dir = "data"
[tls]
certificate = "cert.pem"
key = "key.pem"
[[listen]]
protocol = "imap"
address = "127.0.0.1:0"
security = "starttls"
[[listen]]
protocol = "imap"
address = "[::1]:993"
security = "tls"
[[upstream]]
name = "old"
imap = "imap://127.0.0.1:1143"
pop3 = "pop3s://mail.example.org"
lmtp = "lmtp://[::1]:24"
tls = { off = true }
admin = { user = "cyrus", password_file = "admin", method = "separator" }
limits = { sessions = 7, migration = 8, per_user = 9 }
[auth]
allow_plaintext = true
[routing]
default_upstream = "old"
canonical = { case = "lower", strip_domain = ["example.org"], separator = "+" }
[limits]
sessions_per_user = 5
[copy]
bodies = "recent"
max_bytes = 1000
[storage]
tombstone_ranges = 500
segment_size = 1048576
rewrite_share = 50
rewrite_idle = 0
visit_unopened = 7
replaced_linger = 5
replaced_keep = 6
[log]
level = "debug"
format = "text"
access = "access.jsonl"
)";

TEST_F(Load, reads_every_setting) {
  const Loaded l = read(full);
  ASSERT_TRUE(l.config) << all(l);
  EXPECT_EQ(all(l), "");
  const Config& c = *l.config;
  EXPECT_EQ(c.data_dir, dir_ / "data");
  EXPECT_EQ(c.seal_key_file, dir_ / "data" / "secret.key");
  EXPECT_EQ(c.admin_socket(), dir_ / "data" / "admin.sock");
  ASSERT_EQ(c.listen.size(), 2u);
  EXPECT_EQ(c.listen[1].host, "::1");
  EXPECT_EQ(c.listen[1].port, 993);
  EXPECT_EQ(c.listen[1].security, ListenSecurity::tls);
  const Upstream& u = c.upstreams.at("old");
  EXPECT_EQ(u.imap->port, 1143);
  EXPECT_EQ(u.pop3->port, 995);
  EXPECT_EQ(u.pop3->scheme, "pop3s");
  EXPECT_EQ(u.lmtp->host, "::1");
  EXPECT_TRUE(u.tls.off);
  EXPECT_EQ(u.admin->method, AdminMethod::separator);
  EXPECT_EQ(u.max_sessions, 7u);
  EXPECT_EQ(u.max_migration, 8u);
  EXPECT_EQ(u.max_per_user, 9u);
  EXPECT_EQ(c.tombstone_ranges, 500u);
  EXPECT_EQ(c.segment_size, 1048576u);
  EXPECT_EQ(c.rewrite_share, 50u);
  EXPECT_EQ(c.rewrite_idle, 0u);
  EXPECT_EQ(c.visit_unopened, 7u);
  EXPECT_EQ(c.replaced_linger, 5u);
  EXPECT_EQ(c.replaced_keep, 6u);
  EXPECT_TRUE(c.allow_plaintext);
  EXPECT_TRUE(c.upstream_login);
  EXPECT_EQ(c.default_upstream, "old");
  EXPECT_EQ(c.sessions_per_user, 5u);
  EXPECT_EQ(c.copy_bodies, "recent");
  EXPECT_EQ(c.log_format, "text");
  EXPECT_EQ(*c.canonical_user("Anna+x@example.org"), "anna");
}

TEST_F(Load, effective_settings_read_back_as_themselves) {
  const Loaded first = read(full);
  ASSERT_TRUE(first.config) << all(first);
  const std::string text = effective(*first.config);
  const Loaded second = read(text);
  ASSERT_TRUE(second.config) << all(second) << text;
  EXPECT_EQ(effective(*second.config), text);
  EXPECT_EQ(text.find("secret\n"), std::string::npos);
}

struct BadCase {
  const char* name;
  const char* text;
  const char* want;  // a part of the report
};

class Bad : public Load, public testing::WithParamInterface<BadCase> {};

TEST_P(Bad, is_reported_with_line_and_remedy) {
  const Loaded l = read(GetParam().text);
  const std::string got = all(l);
  EXPECT_NE(got.find(GetParam().want), std::string::npos) << got;
  const bool fatal = GetParam().want[0] == 'E';
  EXPECT_EQ(l.config.has_value(), !fatal) << got;
  for (const Problem& p : l.problems) EXPECT_FALSE(p.remedy.empty()) << p.what;
}

INSTANTIATE_TEST_SUITE_P(
    Files, Bad,
    testing::Values(
        BadCase{"no_data_dir", "[log]\nlevel = \"info\"\n", "E1 data_dir is missing"},
        BadCase{"syntax", "data_dir = \"d\"\nx = = 1\n", "E2 "},
        BadCase{"unknown_key", "data_dir = \"d\"\ndata_dri = \"x\"\n",
                "W2 data_dri is not a setting -- did you mean data_dir?"},
        BadCase{"unknown_in_section", "data_dir = \"d\"\n[auth]\nallow_plain = true\n",
                "W3 auth.allow_plain is not a setting -- did you mean auth.allow_plaintext?"},
        BadCase{"unknown_far", "data_dir = \"d\"\n[frobnicate]\na = 1\n",
                "W2 frobnicate is not a setting -- remove it"},
        BadCase{"type", "data_dir = 7\n", "E1 data_dir has the wrong type"},
        BadCase{"negative", "data_dir = \"d\"\n[limits]\nsessions_per_user = -1\n", "E3 limits.sessions_per_user"},
        BadCase{"segments_too_small", "data_dir = \"d\"\n[storage]\nsegment_size = 1048575\n",
                "E3 storage.segment_size must be between"},
        BadCase{"segments_too_big", "data_dir = \"d\"\n[storage]\nsegment_size = 1073741825\n",
                "E3 storage.segment_size must be between"},
        BadCase{"kept_shorter_than_it_lingers", "data_dir = \"d\"\n[storage]\nreplaced_keep = 3599\n",
                "E3 storage.replaced_keep is less"},
        BadCase{"enum_value", "data_dir = \"d\"\n[log]\nlevel = \"loud\"\n", "E3 log.level = \"loud\" is not known"},
        BadCase{"listen_address",
                "data_dir = \"d\"\n[[listen]]\nprotocol = \"imap\"\naddress = \"1143\"\nsecurity = \"none\"\n",
                "E4 listen[0].address"},
        BadCase{"listen_without_certificate",
                "data_dir = \"d\"\n[[listen]]\nprotocol = \"imap\"\naddress = \"*:143\"\n",
                "E2 this listener needs a certificate"},
        BadCase{"certificate_missing", "data_dir = \"d\"\n[tls]\ncertificate = \"no.pem\"\nkey = \"key.pem\"\n",
                "E3 tls.certificate"},
        BadCase{"key_missing", "data_dir = \"d\"\n[tls]\ncertificate = \"cert.pem\"\n", "E2 tls needs both"},
        BadCase{"pop3_is_not_served_yet", "data_dir = \"d\"\n[[listen]]\nprotocol = \"pop3\"\naddress = \"*:110\"\n",
                "W2 this build does not serve pop3 yet; its listener stays closed"},
        BadCase{"upstream_scheme", "data_dir = \"d\"\n[[upstream]]\nname = \"o\"\nimap = \"http://x\"\n",
                "E4 upstream[0].imap"},
        BadCase{"upstream_twice",
                "data_dir = \"d\"\n[[upstream]]\nname = \"o\"\nimap = \"imap://x\"\n[[upstream]]\nname = \"o\"\nimap = "
                "\"imap://y\"\n",
                "E5 there are two upstreams"},
        BadCase{"upstream_without_imap", "data_dir = \"d\"\n[[upstream]]\nname = \"o\"\n",
                "E2 upstream[0].imap is missing"},
        BadCase{"upstream_unverified",
                "data_dir = \"d\"\n[[upstream]]\nname = \"o\"\nimap = \"imap://x\"\ntls = { verify = false }\n",
                "W5 the certificate of upstream \"o\" is not checked"},
        BadCase{"upstream_off_and_imaps",
                "data_dir = \"d\"\n[[upstream]]\nname = \"o\"\nimap = \"imaps://x\"\ntls = { off = true }\n",
                "E5 upstream[0].tls.off contradicts"},
        BadCase{"admin_password_file",
                "data_dir = \"d\"\n[[upstream]]\nname = \"o\"\nimap = \"imap://x\"\nadmin = { user = \"a\", "
                "password_file = \"none\" }\n",
                "E5 upstream[0].admin.password_file"},
        BadCase{"default_upstream", "data_dir = \"d\"\n[routing]\ndefault_upstream = \"new\"\n",
                "E3 routing.default_upstream = \"new\" is not an [[upstream]]"},
        BadCase{"separator", "data_dir = \"d\"\n[routing]\ncanonical = { separator = \"ab\" }\n",
                "E3 routing.canonical.separator"},
        BadCase{"database", "data_dir = \"d\"\n[control]\ndatabase = \"postgresql://x\"\n", "E3 control.database"},
        BadCase{"quirk_rules", "data_dir = \"d\"\n[quirks]\nrules = [\"none.d\"]\n", "E3 quirks.rules"},
        BadCase{"listen_is_a_table", "data_dir = \"d\"\n[listen]\nprotocol = \"imap\"\n",
                "E2 listen has the wrong type"}),
    [](const auto& row) { return row.param.name; });

TEST_F(Load, reports_every_problem_at_once) {
  const Loaded l = read("x = 1\n[log]\nlevel = \"loud\"\nformat = 3\n[routing]\ndefault_upstream = \"none\"\n");
  EXPECT_GE(l.problems.size(), 5u) << all(l);
}

TEST_F(Load, a_missing_file_is_a_problem) {
  const Loaded l = load(dir_ / "absent.toml");
  EXPECT_FALSE(l.config);
  ASSERT_EQ(l.problems.size(), 1u);
  EXPECT_EQ(l.problems[0].file, (dir_ / "absent.toml").string());
}

TEST(SplitHostPort, takes_hosts_and_ports) {
  EXPECT_EQ(split_host_port("a:1")->port, 1);
  EXPECT_EQ(split_host_port("[::1]:0")->host, "::1");
  EXPECT_EQ(split_host_port("a", 143)->port, 143);
  for (const char* bad : {"", ":1", "a", "a:", "a:x", "a:65536", "::1:143", "[::1:143", "[::1]x", "a b:1", "u@h:1"}) {
    EXPECT_FALSE(split_host_port(bad)) << bad;
  }
}

}  // namespace
}  // namespace gateway::config
