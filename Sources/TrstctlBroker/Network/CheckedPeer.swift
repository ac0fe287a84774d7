import TrstctlPolicy
import TrstctlSystem

/// A granted peer whose name was looked up once and whose addresses were checked: the only thing that is dialled.
struct CheckedPeer: Sendable {
    /// What was granted and asked for.
    let address: DialAddress
    /// The addresses that may be dialled, or with a proxy its own, in the resolver's order.
    ///
    /// At least one.
    let addresses: [PeerAddress]
    /// What connects to the peer; nil when the host does it itself.
    let proxy: RequestProxy?

    /// Looks the peer up and drops every address that the rule does not permit.
    ///
    /// An address that stands in the rule itself is permitted by that, wherever it leads.
    ///
    /// - Parameters:
    ///   - ticket: for connecting to the peer.
    ///   - isPlain: whether content will go there without TLS; then the rule must permit that too, unless the address
    ///     is near.
    ///   - proxy: what goes to public peers goes through it, unless it is plain; then the name is the proxy's to look
    ///     up, and only that it is granted is checked here.
    ///   - settings: the resolver.
    ///   - patience: ends the look-up.
    /// - Throws: `refusedAddress` when no address is left, `plainRefused`, `unreachable` when there is none at all.
    init(
        _ ticket: DialTicket, isPlain: Bool, proxy: RequestProxy? = nil, _ settings: NetworkSettings,
        _ patience: Patience
    ) throws(EffectError) {
        let proxy = isPlain || proxy?.leads(to: ticket) != true ? nil : proxy
        let dialled = proxy?.address ?? ticket.address
        let found: [PeerAddress]
        do throws(ProbeError) {
            found = try AddressLookup.addresses(
                of: dialled.hostText, port: dialled.port, deadline: patience.deadline, places: settings.places,
                interruption: patience.interruption, resolver: settings.resolver)
        } catch {
            throw EffectError(connecting: ticket.address, error, patience, isProxy: proxy != nil)
        }
        self.proxy = proxy
        address = ticket.address
        guard proxy == nil else {
            addresses = found
            return
        }
        var permitted = found
        if ticket.address.isName {
            permitted = found.filter { AddressReach($0).isPermitted(by: ticket.options) }
            guard !permitted.isEmpty else { throw .refusedAddress(ticket, found.map { AddressReach($0) }) }
        }
        if isPlain, !ticket.options.contains(.plain) {
            permitted = permitted.filter { AddressReach($0).isNear }
            guard !permitted.isEmpty else { throw .plainRefused(ticket) }
        }
        addresses = permitted
    }

    /// Connects to the first address that accepts, each with an equal share of the time; through the proxy, if any.
    func connect(_ patience: Patience) throws(EffectError) -> ProbeSocket {
        do throws(ProbeError) {
            let socket = try dial(patience)
            try proxy?.connect(socket, to: address)
            return socket
        } catch {
            throw EffectError(connecting: address, error, patience, isProxy: proxy != nil)
        }
    }

    private func dial(_ patience: Patience) throws(ProbeError) -> ProbeSocket {
        var failure = ProbeError(.unresolved, .resolve, address.text, "no address to dial")
        for (index, candidate) in addresses.enumerated() {
            do throws(ProbeError) {
                return try ProbeSocket.connect(
                    to: candidate, connected: TLSProbe.share(of: patience.deadline, among: addresses.count - index),
                    deadline: patience.deadline, patience.interruption)
            } catch {
                failure = error
            }
            if patience.interruption.isRaised { break }
        }
        throw failure
    }
}

extension EffectError {
    /// Every address of the name is one that the rule does not permit.
    ///
    /// The addresses are left out: what a resolver inside a network answers is not the connector's business.
    fileprivate static func refusedAddress(_ ticket: DialTicket, _ found: [AddressReach]) -> EffectError {
        let needed: DialOptions =
            found.contains(.privateNetwork) ? .privateNetwork : found.contains(.loopback) ? .loopback : []
        let reach = found.first { $0.isPermitted(by: needed) } ?? found.first ?? .special
        return EffectError(
            .refusedAddress, object: ticket.address.text,
            "the name in \(ticket.address.text) leads to \(reach.phrase), which no rule for a name permits by itself",
            fix: needed.isEmpty
                ? "ask who runs the name's zone; an address of this kind is reached only by a rule for the address itself"
                : "if that is intended, permit it \(ticket.place): \(line(ticket, needed))")
    }

    /// Content would leave the machine without TLS.
    fileprivate static func plainRefused(_ ticket: DialTicket) -> EffectError {
        EffectError(
            .refusedAddress, object: ticket.address.text,
            "nothing is sent to \(ticket.address.text) without TLS: everybody on the way could read and change it",
            fix: "use https or use_tls; if the peer has no TLS, permit it \(ticket.place): \(line(ticket, .plain))")
    }

    private static func line(_ ticket: DialTicket, _ option: DialOptions) -> String {
        "net.dial: [\"\(ticket.address.text)\(ticket.options.union(option).suffix)\"]"
    }

    /// Why a peer was not reached, without the addresses behind its name, and without the proxy's.
    init(connecting address: DialAddress, _ error: ProbeError, _ patience: Patience, isProxy: Bool = false) {
        if patience.interruption.isRaised {
            self = .interrupted(address.text)
            return
        }
        let code: Code
        switch error.code {
        case .invalidTarget: code = .invalid
        case .unresolved, .refused, .unreachable, .closed: code = .unreachable
        case .timedOut: code = patience.deadline.hasPassed ? .timedOut : .unreachable
        case .proxy, .notTLS, .handshake, .tooMuch: code = .badPeer
        case .local: code = .system
        }
        let by = isProxy ? " through the target's proxy" : ""
        let fix =
            isProxy
            ? "see `proxy` of the target in the manifest, and the proxy's log"
            : error.code == .unresolved
                ? "try it: getent ahosts \(address.hostText); a name that only a proxy knows needs `proxy` of the target"
                : ""
        self.init(
            code, object: address.text,
            "\(address.text) was not reached\(by): \(error.stage.rawValue): \(error.reason)", fix: fix)
    }

    /// The call that wanted it is over.
    static func interrupted(_ object: String) -> EffectError {
        EffectError(.scopeOver, object: object, "\(object) was given up because its call is over")
    }
}
