import COpenSSL
import Glibc

/// The names inside a certificate, as text.
struct CertificateNames {
    var dns: [String] = []
    var ip: [String] = []

    /// Reads the subject alternative names; a broken or repeated extension counts as no names.
    init(of certificate: CertificateHandle) {
        defer { OpenSSLError.clear() }
        guard let found = X509_get_ext_d2i(certificate.x509, NID_subject_alt_name, nil, nil) else { return }
        let names = OpaquePointer(found)
        defer { GENERAL_NAMES_free(names) }
        for index in 0..<max(0, trstctl_GENERAL_NAMES_count(names)) {
            guard let name = trstctl_GENERAL_NAMES_at(names, index) else { continue }
            var kind: Int32 = -1
            guard let value = GENERAL_NAME_get0_value(name, &kind), kind == GEN_DNS || kind == GEN_IPADD else {
                continue
            }
            let content = CertificateNames.bytes(of: value.assumingMemoryBound(to: ASN1_STRING.self))
            if kind == GEN_DNS {
                dns.append(PrintableText.of(content, limit: 256))
            } else {
                ip.append(CertificateNames.address(content))
            }
        }
    }

    /// A distinguished name as RFC 2253 text, newest part first; bytes beyond ASCII are escaped.
    static func text(_ name: OpaquePointer?) -> String {
        defer { OpenSSLError.clear() }
        guard let name, let buffer = BIO_new(BIO_s_mem()) else { return "" }
        defer { BIO_free_all(buffer) }
        guard X509_NAME_print_ex(buffer, name, 0, trstctl_XN_FLAG_RFC2253) >= 0 else { return "?" }
        var start: UnsafeMutablePointer<CChar>?
        let count = trstctl_BIO_get_mem_data(buffer, &start)
        guard count > 0, let start else { return "" }
        return PrintableText.of(UnsafeRawBufferPointer(start: start, count: count))
    }

    private static func bytes(of string: UnsafePointer<ASN1_STRING>) -> [UInt8] {
        let count = Int(ASN1_STRING_length(string))
        guard count > 0, let start = ASN1_STRING_get0_data(string) else { return [] }
        return Array(UnsafeBufferPointer(start: start, count: count))
    }

    private static func address(_ bytes: [UInt8]) -> String {
        let family = bytes.count == 4 ? AF_INET : AF_INET6
        guard bytes.count == 4 || bytes.count == 16 else { return "?" }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(family, bytes, &text, socklen_t(text.count)) != nil else { return "?" }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
