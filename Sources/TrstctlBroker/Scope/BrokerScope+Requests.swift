import Glibc
import Synchronization
import TrstctlPolicy
import TrstctlSystem
import TrstctlWire

/// Requests over HTTP: really, or in the plan.
extension BrokerScope {
    func request(_ call: HTTPCall, _ ticket: DialTicket, _ patience: Patience) throws(EffectError) -> Effect {
        let patience = patience.atMost(milliseconds: call.milliseconds)
        var sent = SentSecrets()
        var request = try resolve(call, &sent, patience)
        let peer = try CheckedPeer(ticket, isPlain: !call.url.isSecure, proxy: proxy, network, patience)
        if call.method.isSafe {
            try authenticate(&request, call, &sent, patience)
            return try ask(request, call, peer, sent, patience)
        }
        return try exclusively(call.shown) { () throws(EffectError) in
            guard rights != .recording else {
                if let authentication = call.message.authentication { try rehearse(authentication) }
                files.withLock { $0.note(call: call.shown) }
                return Effect(
                    result: .request(Wire.HttpResponse(status: 200, planned: true)), isPlanned: true)
            }
            try authenticate(&request, call, &sent, patience)
            // Whatever goes wrong after a connection, in this attempt or a later one, the server may have done it.
            var isConnected = false
            defer { if isConnected { files.withLock { $0.note(call: call.shown) } } }
            return try ask(request, call, peer, sent, patience) {
                if !isConnected { deployment?.willRun() }
                isConnected = true
            }
        }
    }

    /// What may change something happens one after another, and not once the scope is closed.
    func exclusively(_ object: String, _ body: () throws(EffectError) -> Effect) throws(EffectError) -> Effect {
        try exchanges.withLock { count throws(EffectError) in
            guard !ledger.withLock({ $0.isClosed }) else { throw .scopeOver }
            guard count < limits.exchanges else {
                throw EffectError(
                    .limit, object: object,
                    "one call sends at most \(limits.exchanges) requests that may change something")
            }
            count += 1
            return try body()
        }
    }

    private func authenticate(
        _ request: inout HTTPRequest, _ call: HTTPCall, _ sent: inout SentSecrets, _ patience: Patience
    ) throws(EffectError) {
        guard let authentication = call.message.authentication else { return }
        try authenticate(&request, authentication, &sent, patience)
    }

    private func resolve(
        _ call: HTTPCall, _ sent: inout SentSecrets, _ patience: Patience
    ) throws(EffectError) -> HTTPRequest {
        var request = HTTPRequest(method: call.method, url: call.url, bodyLimit: call.bodyLimit)
        for header in call.message.headers {
            request.fields.append(try HTTPField(header, secrets, patience))
            sent.note(header.value, secrets)
        }
        request.body = try secrets.assemble(
            call.message.body, limit: BrokeredRequest.contentLimit, field: "body", patience: patience)
        sent.note(call.message.body, secrets)
        guard request.body.isEmpty || !(call.method.isHead || call.method.text == "GET") else {
            throw EffectError(.invalid, object: "body", "a \(call.method.text) request has no body")
        }
        if let options = call.message.tls { request.tls = try tlsSettings(options, &sent) }
        return request
    }

    private func ask(
        _ request: HTTPRequest, _ call: HTTPCall, _ peer: CheckedPeer, _ sent: SentSecrets, _ patience: Patience,
        connected: () -> Void = {}
    ) throws(EffectError) -> Effect {
        let (answer, attempts) = try repeated(request, call, peer, patience, connected)
        let contents = [answer.body] + answer.headers.map(\.value)
        for content in contents { try secrets.refuseKey(in: content, "the answer of \(call.url.shown)") }
        try sent.refuse(contents, call.url.shown)
        let response = Wire.HttpResponse(status: answer.status, headers: answer.headers, body: answer.body)
        let note =
            "status \(answer.status)" + (attempts > 1 ? ", attempt \(attempts)" : "")
            + (peer.proxy.map { ", proxy \($0.address)" } ?? "")
        return Effect(result: .request(response), bytes: answer.body.count, note: note)
    }

    private func repeated(
        _ request: HTTPRequest, _ call: HTTPCall, _ peer: CheckedPeer, _ patience: Patience, _ connected: () -> Void
    ) throws(EffectError) -> (HTTPAnswer, attempts: Int) {
        var attempt = 1
        while true {
            let mayRepeat = call.isRepeatable && attempt < network.attempts
            let pause = network.retryMilliseconds << Int64(min(attempt - 1, 16))
            do throws(EffectError) {
                let answer = try HTTPExchange.run(request, peer, network, patience, connected: connected)
                guard mayRepeat, [429, 502, 503, 504].contains(answer.status),
                    try wait(milliseconds: answer.retryAfter ?? pause, call.url.shown, patience)
                else { return (answer, attempt) }
            } catch {
                // Only a connection that did not come about: then nobody has seen the request.
                guard mayRepeat, error.code == .unreachable,
                    try wait(milliseconds: pause, call.url.shown, patience)
                else { throw error }
            }
            attempt += 1
        }
    }

    /// False at once when the wait would reach beyond the deadline.
    private func wait(milliseconds: Int64, _ object: String, _ patience: Patience) throws(EffectError) -> Bool {
        let end = Deadline.after(milliseconds: milliseconds)
        guard end < patience.deadline else { return false }
        while !end.hasPassed {
            var entry = pollfd(fd: patience.interruption.pollable, events: Int16(POLLIN), revents: 0)
            if poll(&entry, 1, end.pollTimeout) > 0 { throw .interrupted(object) }
        }
        return true
    }
}

extension HTTPAnswer {
    /// What the server asks to wait, in milliseconds; nil when it does not say, or says it as a date.
    fileprivate var retryAfter: Int64? {
        guard let text = value("Retry-After")?.text, (1...6).contains(text.utf8.count),
            text.utf8.allSatisfy(\.isASCIIDigit)
        else { return nil }
        return Int64(text).map { $0 * 1_000 }
    }
}
