"""What the integration tests share: processes, clients, scenes and the record of acknowledgements."""
