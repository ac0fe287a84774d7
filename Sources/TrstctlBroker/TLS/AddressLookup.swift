import CTrstctlSystem
import Glibc
import Synchronization
package import TrstctlSystem

/// Turns a host into addresses before a deadline.
///
/// getaddrinfo(3) has no time limit of its own, and an unreachable name server holds it for tens of seconds. It therefore
/// runs on a thread of its own, which is left behind when the deadline passes and ends when the resolver gives up.
package enum AddressLookup {
    /// The most addresses of one name that are looked at.
    package static let addressLimit = 8
    /// The host's own look-ups that may be under way, those left behind included; connectors have their own.
    private static let places = LookupPlaces(16)

    /// The addresses of an IP literal or a name, in the resolver's order (RFC 6724).
    ///
    /// - Parameters:
    ///   - host: an address in the form of `IPLiteral`, or a host name of at most 253 bytes.
    ///   - port: 1 to 65535.
    ///   - deadline: when to stop waiting for a name server; literals ask none.
    /// - Returns: 1 to `addressLimit` addresses.
    /// - Throws: `ProbeError` of stage `resolve`.
    package static func addresses(
        of host: String, port: UInt16, deadline: Deadline
    ) throws(ProbeError) -> [PeerAddress] {
        try addresses(of: host, port: port, deadline: deadline, places: places, resolver: { system($0, $1) })
    }

    /// What a resolver answers: addresses, or getaddrinfo's error number.
    enum Answer: Sendable {
        case addresses([PeerAddress])
        case failure(Int32)
    }

    /// The same among the look-ups of somebody else, with another resolver, and ended early by an interruption.
    static func addresses(
        of host: String, port: UInt16, deadline: Deadline, places: LookupPlaces, interruption: Interruption? = nil,
        resolver: @escaping @Sendable (String, UInt16) -> Answer
    ) throws(ProbeError) -> [PeerAddress] {
        let shown = "\(host.prefix(253)):\(port)"
        guard port > 0 else { throw ProbeError(.invalidTarget, .resolve, shown, "port 0 cannot be dialled") }
        if IPLiteral.isOne(host), case .addresses(let found) = system(host, port, flags: AI_NUMERICHOST) {
            return found
        }
        guard HostName.isValid(host) else {
            throw ProbeError(
                .invalidTarget, .resolve, HostName.printable(shown), "neither an IP address nor a host name")
        }
        switch try wait(host, port, deadline, interruption, places, resolver) {
        case .addresses(let found) where !found.isEmpty:
            return found
        case .addresses:
            throw ProbeError(.unresolved, .resolve, shown, "the name has no address")
        case .failure(let code):
            throw ProbeError(.unresolved, .resolve, shown, String(cString: gai_strerror(code)))
        }
    }

    /// A look-up and who waits for it; both the waiter and the thread hold it.
    private final class Lookup: Sendable {
        let host: String
        let port: UInt16
        let resolver: @Sendable (String, UInt16) -> Answer
        let places: LookupPlaces
        let answer = Mutex<Answer?>(nil)
        let isDone: OwnedDescriptor

        init(
            _ host: String, _ port: UInt16, _ resolver: @escaping @Sendable (String, UInt16) -> Answer,
            places: LookupPlaces, done: Int32
        ) {
            self.places = places
            self.host = host
            self.port = port
            self.resolver = resolver
            isDone = OwnedDescriptor(done)
        }

        func run() {
            let result = resolver(host, port)
            answer.withLock { $0 = result }
            places.leave()
            var one: UInt64 = 1
            _ = write(isDone.raw, &one, 8)
        }
    }

    private static func wait(
        _ host: String, _ port: UInt16, _ deadline: Deadline, _ interruption: Interruption?, _ places: LookupPlaces,
        _ resolver: @escaping @Sendable (String, UInt16) -> Answer
    ) throws(ProbeError) -> Answer {
        let shown = "\(host):\(port)"
        guard places.take() else {
            throw ProbeError(.local, .resolve, shown, "\(places.limit) look-ups are under way already")
        }
        let done = trstctl_eventfd()
        guard done >= 0 else {
            let error = SystemError.last("eventfd")
            places.leave()
            throw ProbeError(.local, .resolve, shown, error.description)
        }
        let lookup = Lookup(host, port, resolver, places: places, done: done)
        let result = startThread(lookup)
        guard result == 0 else {
            places.leave()
            let error = SystemError(stage: "pthread_create", errno: result)
            throw ProbeError(.local, .resolve, shown, error.description)
        }
        while true {
            var entries = [
                pollfd(fd: lookup.isDone.raw, events: Int16(POLLIN), revents: 0),
                pollfd(fd: interruption?.pollable ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            let ready = poll(&entries, 2, deadline.pollTimeout)
            if ready > 0, let answer = lookup.answer.withLock({ $0 }) { return answer }
            guard interruption?.isRaised != true else {
                throw ProbeError(.timedOut, .resolve, shown, "the call that wanted to know is over")
            }
            guard !deadline.hasPassed else {
                throw ProbeError(.timedOut, .resolve, shown, "no answer from the name service before the deadline")
            }
        }
    }

    private static func startThread(_ lookup: Lookup) -> Int32 {
        // The thread inherits a mask in which every signal is blocked: handlers run elsewhere.
        var all = sigset_t()
        var previous = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_SETMASK, &all, &previous)
        defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
        return TrstctlSystem.startThread { lookup.run() }
    }

    static func system(_ host: String, _ port: UInt16, flags: Int32 = 0) -> Answer {
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = flags | AI_NUMERICSERV
        var list: UnsafeMutablePointer<addrinfo>?
        let result = getaddrinfo(host, "\(port)", &hints, &list)
        guard result == 0, let list else { return .failure(result) }
        defer { freeaddrinfo(list) }
        var found: [PeerAddress] = []
        var next: UnsafeMutablePointer<addrinfo>? = list
        while let entry = next, found.count < addressLimit {
            if let address = entry.pointee.ai_addr, let peer = PeerAddress(address, count: entry.pointee.ai_addrlen),
                !found.contains(peer)
            {
                found.append(peer)
            }
            next = entry.pointee.ai_next
        }
        return .addresses(found)
    }
}
