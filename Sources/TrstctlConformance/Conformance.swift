/// The room for what proves that a connector, or another host, keeps to the protocol: vectors, checks, reports.
///
/// It is empty so far; `trstctl conformance` comes with a later change.
package enum Conformance {}
