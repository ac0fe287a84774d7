import Testing
import TrstctlPolicy
import TrstctlSystem

@Suite("Linter: whose configuration")
struct LintConfigurationTests {
    static let realistic: [(write: [String], exec: [[String]])] = [
        (
            ["/etc/nginx/tls/www.crt", "/etc/nginx/tls/www.key"],
            [["/usr/sbin/nginx", "-t"], ["/usr/sbin/nginx", "-s", "reload"]]
        ),
        (["/etc/nginx/conf.d/certs/x.crt", "/etc/nginx/conf.d/x.pem"], [["/usr/bin/systemctl", "reload", "nginx"]]),
        (["/etc/nginx/ssl/", "/etc/nginx/www.key"], [["/usr/bin/systemctl", "reload", "nginx.service"]]),
        (["/etc/nginx/conf.d/certs/"], [["/usr/sbin/nginx", "-t"]]),
        (["/etc/httpd/conf/ssl.crt/server.crt", "/etc/httpd/conf/ssl.key/server.key"], [["/usr/sbin/httpd", "-t"]]),
        (["/etc/apache2/ssl/a.crt"], [["/usr/sbin/apache2ctl", "configtest"], ["/usr/sbin/apache2ctl", "graceful"]]),
        (
            ["/etc/haproxy/certs/", "/etc/haproxy/www.pem"],
            [["/usr/sbin/haproxy", "-c", "-f", "/etc/haproxy/haproxy.cfg"]]
        ),
        (["/etc/postfix/tls/a.crt", "/etc/postfix/tls/a.key"], [["/usr/sbin/postfix", "reload"]]),
        (["/etc/dovecot/private/dovecot.pem", "/etc/dovecot/ssl/"], [["/usr/bin/doveadm", "reload"]]),
        (["/etc/exim4/exim.crt", "/etc/exim4/exim.key"], [["/usr/bin/systemctl", "reload", "exim4"]]),
        (
            ["/etc/postgresql/16/main/server.crt", "/var/lib/postgresql/16/main/server.key"],
            [["/usr/bin/systemctl", "reload", "postgresql@16-main"]]
        ),
        (["/etc/mysql/server-cert.pem", "/etc/mysql/ssl/"], [["/usr/bin/mysql", "-e", "ALTER INSTANCE RELOAD TLS"]]),
        (["/etc/ldap/ssl/a.crt"], [["/usr/bin/systemctl", "restart", "slapd"]]),
        (["/etc/freeradius/3.0/certs/server.pem"], [["/usr/bin/systemctl", "restart", "freeradius"]]),
        (["/etc/lighttpd/server.pem"], [["/usr/sbin/service", "lighttpd", "reload"]]),
        (["/etc/ipsec.d/certs/a.crt", "/etc/swanctl/x509/a.crt"], [["/usr/sbin/ipsec", "rereadall"]]),
        (["/etc/bind/a.crt"], [["/usr/sbin/rndc", "reload"]]),
        (["/srv/stage/a.crt"], [["/usr/bin/install", "-m", "644", "/srv/stage/a.crt", "/etc/nginx/tls/a.crt"]]),
        (
            ["/srv/stage/a.crt"],
            [["/bin/cp", "-ft", "/etc/nginx/tls", "/srv/stage/a.crt"], ["/usr/sbin/nginx", "-t"]]
        ),
        ([], [["/usr/bin/certbot", "renew", "-q"], ["/usr/bin/openssl", "x509", "-noout", "-in", "/srv/a.crt"]]),
    ]

    @Test("Ordinary manifests have no finding", arguments: realistic)
    func ordinary(write: [String], exec: [[String]]) throws {
        let found = try LintSample.findings([LintSample.plugin(write: write, exec: exec)])
            .filter { ![.writesArgument, .interpreter].contains($0.code) }
        #expect(found.isEmpty, "\(found.map(\.sentence))")
        let server = exec.allSatisfy {
            !$0[0].hasSuffix("mysql") && !$0[0].hasSuffix("cp") && !$0[0].hasSuffix("install")
        }
        if server { #expect(try LintSample.findings([LintSample.plugin(write: write, exec: exec)]).isEmpty) }
    }

    static let clients: [[String]] = [
        ["/usr/bin/redis-cli", "CONFIG", "SET", "tls-cert-file", "/srv/a.crt"],
        ["/usr/bin/kubectl", "create", "secret", "tls", "www", "--cert=/srv/a.crt", "--key=/srv/a.key"],
        ["/usr/bin/docker", "cp", "/srv/a.crt", "web:/etc/nginx/tls/"], ["/usr/bin/ssh", "-i", "/srv/a.crt", "h", "x"],
        ["/usr/bin/psql", "sslrootcert=/srv/a.crt", "-c", "select 1"],
    ]

    @Test("A client that only reads a file is not refused for it", arguments: clients)
    func reading(argv: [String]) throws {
        let found = try LintSample.findings([LintSample.plugin(write: ["/srv/a.crt"], exec: [argv])])
        #expect(found.filter(\.isRefusal).isEmpty && found.contains { $0.code == .writesArgument })
    }

    static let running: [[String]] = [
        ["/usr/bin/redis-cli", "--eval", "/srv/x"], ["/usr/bin/redis-cli", "MODULE", "LOAD", "/srv/x"],
        ["/usr/bin/kubectl", "apply", "-f", "/srv/x"], ["/usr/bin/docker", "compose", "-f", "/srv/x", "up"],
        ["/usr/bin/psql", "-f", "/srv/x"], ["/usr/bin/mysql", "-e", "source /srv/x"],
        ["/usr/bin/ssh", "-F/srv/x", "h"],
        ["/usr/bin/setfacl", "--restore=/srv/x"], ["/usr/bin/systemd-sysusers", "/srv/x"],
    ]

    @Test("A client that runs a file is", arguments: running)
    func obeying(argv: [String]) throws {
        let found = try LintSample.findings([LintSample.plugin(write: ["/srv/x"], exec: [argv])])
        #expect(found.contains { $0.code == .replaces && $0.object == Bytes("/srv/x") })
    }

    static let configurations: [(write: String, service: String)] = [
        ("/etc/nginx/conf.d/x.conf", "nginx"), ("/etc/nginx/conf.d/", "nginx"), ("/etc/nginx/sites-enabled/x", "nginx"),
        ("/etc/apache2/ports.conf", "apache2"), ("/usr/local/apache2/conf/httpd.conf", "httpd"),
        ("/etc/apache2/mods-enabled/x.load", "apache2"), ("/etc/httpd/conf/httpd.conf", "httpd"),
        ("/etc/httpd/conf/", "httpd"), ("/etc/httpd/conf.modules.d/0.conf", "httpd"),
        ("/etc/postfix/dynamicmaps.cf", "postfix"), ("/etc/dovecot/local.conf", "dovecot"),
        ("/etc/exim4/conf.d/main/0", "exim4"), ("/etc/exim4/", "exim4"), ("/etc/lighttpd/lighttpd.conf", "lighttpd"),
        ("/etc/lighttpd/", "lighttpd"), ("/etc/bind/named.conf", "named"), ("/etc/named.conf", "named"),
        ("/etc/bind/named.conf.local", "bind9"), ("/etc/postgresql/16/main/postgresql.conf", "postgresql@16-main"),
        ("/etc/postgresql/16/main/", "postgresql"), ("/etc/postgresql/16/main/conf.d/x.conf", "postgresql"),
        ("/etc/mysql/mariadb.conf.d/50.cnf", "mariadb"), ("/etc/my.cnf", "mysqld"), ("/etc/ldap/slapd.d/x", "slapd"),
        ("/etc/freeradius/3.0/radiusd.conf", "freeradius"), ("/etc/freeradius/3.0/mods-enabled/exec", "freeradius"),
        ("/etc/ipsec.conf", "ipsec"), ("/etc/strongswan.d/charon.conf", "strongswan"),
    ]

    @Test("What a service takes its commands from is refused", arguments: configurations)
    func configuration(write: String, service: String) throws {
        let exec = [["/usr/bin/systemctl", "reload", service]]
        let found = try LintSample.findings([LintSample.plugin(write: [write], exec: exec)])
        #expect(found.contains { $0.code == .configures && $0.object == Bytes("/usr/bin/systemctl") })
    }
}
