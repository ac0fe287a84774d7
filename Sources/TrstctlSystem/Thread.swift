internal import CTrstctlSystem
internal import Glibc

/// Runs a closure on a new thread that nobody joins.
///
/// - Parameters:
///   - stackBytes: how much stack it gets; nil means the system's default, 8 MiB as a rule.
///   - body: what it runs.
/// - Returns: 0, or why the system has no thread to give, EAGAIN as a rule (pthread_create(3)).
package func startThread(stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void) -> Int32 {
    final class Body: Sendable {
        let run: @Sendable () -> Void
        init(_ run: @escaping @Sendable () -> Void) { self.run = run }
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body))
    let result = pthread_create(
        &thread, &attributes,
        { argument in
            guard let argument else { return nil }
            Unmanaged<Body>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, argument.toOpaque())
    if result != 0 { argument.release() }
    return result
}
