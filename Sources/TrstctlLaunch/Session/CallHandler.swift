package import TrstctlWire

/// A call that a connector makes: what it asks, and its id for cancellation and audit.
package struct IncomingCall: Sendable {
    package var id: UInt32
    package var call: Wire.Call
}

/// Answers the calls that a connector makes.
///
/// Most of them are worked on by a thread that may block. It answers itself, so that the loop is not woken only to pass the
/// reply on (`spec/DECISIONS.md`, 138).
package struct CallHandler: Sendable {
    /// Sends the reply; may be called on any thread, the first time counts.
    package typealias Answer = @Sendable (Wire.Reply) -> Void
    /// Asks for an early end; the answer is still to come.
    package typealias Cancel = @Sendable () -> Void

    /// Begins with a call; runs on the loop's thread and must not block.
    let begin: @Sendable (IncomingCall, @escaping Answer) -> Cancel

    /// - Parameter begin: begins with a call on the loop's thread, and returns how to end it early.
    package init(_ begin: @Sendable @escaping (IncomingCall, @escaping Answer) -> Cancel) {
        self.begin = begin
    }

    /// Answers in a task on the loop, which must not block either.
    package init(_ answer: @Sendable @escaping (IncomingCall) async -> Wire.Reply) {
        begin = { incoming, reply in
            let task = Task(executorPreference: EventLoop.shared) { reply(await answer(incoming)) }
            return { task.cancel() }
        }
    }
}
