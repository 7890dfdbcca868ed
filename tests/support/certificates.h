// Certificates made on the spot for tests of TLS: an authority and leaves that are right or wrong in one way.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

namespace tests::support {

class Certificates {
 public:
  Certificates() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fairlead-tls-XXXXXX").string();
    if (!mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
    directory_ = pattern;
    authority_key_ = new_key();
    authority_ = make("Test Authority", "", authority_key_.get(), nullptr, nullptr, 365);
    write(authority_.get(), path("ca.pem"));
  }
  ~Certificates() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Certificates(const Certificates&) = delete;
  Certificates& operator=(const Certificates&) = delete;

  struct Pair {
    std::string certificate, key;
  };
  std::string ca_file() const { return path("ca.pem"); }
  // `alternative`: "DNS:localhost,IP:127.0.0.1". days < 0: has expired.
  Pair issue(const std::string& name, const std::string& alternative, int days = 30) {
    return leaf(name, alternative, days, false);
  }
  Pair self_signed(const std::string& name, const std::string& alternative) {
    return leaf(name, alternative, 30, true);
  }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }

 private:
  using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;
  using Cert = std::unique_ptr<X509, decltype(&X509_free)>;

  static Key new_key() { return Key(EVP_EC_gen("P-256"), EVP_PKEY_free); }

  Pair leaf(const std::string& name, const std::string& alternative, int days, bool self) {
    const std::string base = path("leaf" + std::to_string(++count_));
    const Pair out{base + ".pem", base + ".key"};
    const Key key = new_key();
    const Cert cert = make(name, alternative, key.get(), self ? nullptr : authority_.get(),
                           self ? nullptr : authority_key_.get(), days);
    write(cert.get(), out.certificate);
    FILE* file = fopen(out.key.c_str(), "w");
    PEM_write_PrivateKey(file, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    fclose(file);
    return out;
  }

  static Cert make(const std::string& name, const std::string& alternative, EVP_PKEY* key, X509* issuer,
                   EVP_PKEY* issuer_key, int days) {
    Cert cert(X509_new(), X509_free);
    X509_set_version(cert.get(), 2);
    static long serial = 0;
    ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert.get()), -400L * 86400);
    X509_gmtime_adj(X509_getm_notAfter(cert.get()), days * 86400L);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert.get()), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(cert.get(), X509_get_subject_name(issuer ? issuer : cert.get()));
    X509_set_pubkey(cert.get(), key);
    add_extension(cert.get(), issuer, NID_basic_constraints, alternative.empty() ? "critical,CA:TRUE" : "CA:FALSE");
    if (!alternative.empty()) add_extension(cert.get(), issuer, NID_subject_alt_name, alternative.c_str());
    X509_sign(cert.get(), issuer_key ? issuer_key : key, EVP_sha256());
    return cert;
  }

  static void add_extension(X509* cert, X509* issuer, int nid, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer ? issuer : cert, cert, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
    X509_add_ext(cert, extension, -1);
    X509_EXTENSION_free(extension);
  }

  static void write(X509* cert, const std::string& to) {
    FILE* file = fopen(to.c_str(), "w");
    PEM_write_X509(file, cert);
    fclose(file);
  }

  std::string directory_;
  Key authority_key_{nullptr, EVP_PKEY_free};
  Cert authority_{nullptr, X509_free};
  int count_ = 0;
};

}  // namespace tests::support
