extension Wire.LogRequest.Level {
    /// Whether a line of this level is shown to somebody who sees those from `least` on.
    ///
    /// - Parameter least: a number that is not known means everything (`HelloRequest.log_level`).
    /// - Returns: true when it is.
    package func isShown(from least: Wire.LogRequest.Level) -> Bool {
        if case .unrecognized = least { return true }
        return known.rawValue >= least.rawValue
    }

    /// A number that is not known counts as INFO (`LogRequest.Level`).
    private var known: Wire.LogRequest.Level {
        if case .unrecognized = self { return .info }
        return self
    }
}
