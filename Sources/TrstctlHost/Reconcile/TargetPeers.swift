import TrstctlBroker
import TrstctlPolicy
import TrstctlSystem

extension ConfigResolution {
    /// The target's proxy with its password.
    ///
    /// - Parameters:
    ///   - target: as the manifest has it.
    ///   - input: where secrets come from; nil when the connector is only asked what it needs, and makes no request.
    /// - Returns: nil when there is none, or when nothing goes through it.
    /// - Throws: `ConfigError` when there is no password, or none that could be sent.
    static func proxy(_ target: Target, input: ConfigInput?) throws(ConfigError) -> RequestProxy? {
        guard let proxy = target.proxy, let input else { return nil }
        guard let user = proxy.user else { return RequestProxy(address: proxy.address) }
        let password: Bytes
        do throws(SecretReadError) {
            password = try input.origins.value(user.password)
        } catch {
            throw ConfigError(description: "proxy.password: \(error)")
        }
        guard let made = RequestProxy(address: proxy.address, user: user.name, password: password) else {
            throw ConfigError(
                description: "proxy.password: \(user.password): it holds a control character, perhaps a line feed, and "
                    + "cannot be sent")
        }
        return made
    }
}
