import NIOCore

extension RedisClient {
    /// Asks whether the primary is still the same; leaves one that is not.
    ///
    /// A primary that Sentinel could not reach for a while may still be reachable from here: it was
    /// frozen for less than a deadline, or cut off from the Sentinels alone. It goes on taking
    /// writes until Sentinel makes a replica of it, and then all of them are lost.
    func askSentinel() {
        guard configuration.sentinels != nil, !isAskingSentinel,
            let address = commands.greeting?.address, commands.connection != nil
        else { return }
        isAskingSentinel = true
        connector.findPrimary().whenComplete { result in
            self.isAskingSentinel = false
            guard case .success(let primary) = result, primary != address,
                self.commands.connection != nil, self.commands.greeting?.address == address
            else { return }
            self.commands.recycle(
                RedisProblem(.connectionLost, "Sentinel names another primary: \(primary)"))
        }
    }
}
