internal import TrstctlWire

/// How the host proves who asks: the connector names secrets and never holds one.
public struct HTTPAuthentication: Sendable {
    let message: Wire.HttpAuthentication

    private init(_ message: Wire.HttpAuthentication) { self.message = message }

    /// User name and password (RFC 7617).
    public static func basic(user: String, password: SecretName) -> HTTPAuthentication {
        HTTPAuthentication(Wire.HttpAuthentication(scheme: .basic, identity: user, secretName: password.text))
    }

    /// A bearer token (RFC 6750).
    public static func bearer(_ token: SecretName) -> HTTPAuthentication {
        HTTPAuthentication(Wire.HttpAuthentication(scheme: .bearer, secretName: token.text))
    }

    /// A secret as the value of a header field.
    public static func header(_ name: String, _ value: SecretName) -> HTTPAuthentication {
        HTTPAuthentication(Wire.HttpAuthentication(scheme: .header, secretName: value.text, headerName: name))
    }

    /// AWS Signature Version 4, with an access key.
    public static func aws(
        accessKey: String, secretKey: SecretName, sessionToken: SecretName? = nil, region: String, service: String
    ) -> HTTPAuthentication {
        HTTPAuthentication(
            Wire.HttpAuthentication(
                scheme: .awsSigv4, identity: accessKey, secretName: secretKey.text, region: region, service: service,
                sessionTokenName: sessionToken?.text ?? ""))
    }

    /// A token for a client id and secret (RFC 6749 section 4.4), fetched by the host.
    ///
    /// Needs ``Grant/dial(_:)`` for the token URL as well, which is `https`.
    public static func clientCredentials(
        tokenURL: String, client: String, secret: SecretName, scope: String
    ) -> HTTPAuthentication {
        HTTPAuthentication(
            Wire.HttpAuthentication(
                scheme: .oauth2ClientCredentials, identity: client, secretName: secret.text, tokenUrl: tokenURL,
                scope: scope))
    }

    /// A token for a Google service account's JSON key file, fetched by the host.
    ///
    /// Needs ``Grant/dial(_:)`` for the token URL as well.
    public static func googleServiceAccount(
        keyFile: SecretName, scope: String, tokenURL: String = "https://oauth2.googleapis.com/token"
    ) -> HTTPAuthentication {
        HTTPAuthentication(
            Wire.HttpAuthentication(
                scheme: .googleServiceAccount, secretName: keyFile.text, tokenUrl: tokenURL, scope: scope))
    }

    /// The identity of the machine on AWS; signs with Signature Version 4.
    ///
    /// Needs ``Grant/dial(_:)`` for `169.254.169.254:80` as well, like its siblings.
    public static func awsMachine(region: String, service: String) -> HTTPAuthentication {
        HTTPAuthentication(
            Wire.HttpAuthentication(scheme: .instanceMetadata, identity: "aws", region: region, service: service))
    }

    /// The identity of the machine on Azure.
    public static func azureMachine(resource: String) -> HTTPAuthentication {
        HTTPAuthentication(Wire.HttpAuthentication(scheme: .instanceMetadata, identity: "azure", scope: resource))
    }

    /// The identity of the machine on Google Cloud.
    public static func googleMachine(scope: String = "") -> HTTPAuthentication {
        HTTPAuthentication(Wire.HttpAuthentication(scheme: .instanceMetadata, identity: "gcp", scope: scope))
    }
}
