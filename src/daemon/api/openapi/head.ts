const description = `What \`sojourn\` does on the command line, for programs. One daemon a host; ask the one where the guest is, or its home.

- Locally on the unix socket \`/run/sojourn/sojourn.sock\`, to everybody who may open it; over TCP with TLS 1.3 only, with a client certificate or a bearer token, whose role decides: \`read\`, \`operate\` or \`admin\` (each operation's \`x-role\`).
- Errors are problems (RFC 9457): \`code\` is stable, \`detail\` says what happened and in which state things are, \`hint\` what to do.
- Lists are arrays; the next page is in the \`Link\` header (RFC 8288), \`rel="next"\`.
- Answers may gain members; programs must ignore those that they do not know. Requests with unknown members are refused.
- Times are milliseconds; those that end in \`started_ms\`, \`ended_ms\` and \`wall_clock_ms\` are since 1970.`;

/** What the document says beside the routes. The version is the API's own: it changes when callers must. */
export const documentHead = {
  openapi: "3.1.0",
  info: {
    title: "Sojourn",
    version: "1.0.0",
    description,
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  servers: [{ url: "/", description: "The daemon that serves this document" }],
  tags: [
    { name: "migrations", description: "Moving guests" },
    { name: "evacuations", description: "Emptying hosts" },
    { name: "events", description: "What happens, as it happens (server-sent events)" },
    { name: "guests", description: "The guests of this host" },
    { name: "hosts", description: "This host and its peers" },
    { name: "tunnels", description: "What carries guests' traffic between hosts" },
    { name: "flows", description: "What this host's kernel tracks of guests' traffic" },
    { name: "benchmarks", description: "Moving a guest again and again, and measuring it" },
    { name: "webhooks", description: "Who is told of events, and what became of the messages" },
    { name: "host", description: "The host and its daemon" },
  ],
  components: {
    securitySchemes: {
      bearer: { type: "http" as const, scheme: "bearer" },
      certificate: { type: "mutualTLS" as const },
    },
  },
  // None on the unix socket.
  security: [{ bearer: [] }, { certificate: [] }, {}],
};
