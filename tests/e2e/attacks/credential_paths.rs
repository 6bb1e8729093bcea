//! No granted path may reach a server API that returns credentials.
