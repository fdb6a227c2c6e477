import fc from "fast-check";

/** For parameters and path segments. */
export const oddTexts = fc.oneof(
  fc.constantFrom(
    ...[
      "",
      " ",
      ".",
      "..",
      "../../etc/passwd",
      "..\\..",
      "%2e%2e%2f",
      "%00",
      "\u0000",
      "a/b",
      "-",
      "%",
      "%zz",
    ],
    ...[
      "null",
      "undefined",
      "[object Object]",
      "__proto__",
      "constructor",
      "1e309",
      "-1",
      "0x10",
      "NaN",
      "true",
    ],
    ...[
      "'; DROP TABLE migrations; --",
      "$(id)",
      "`id`",
      "{{7*7}}",
      "web1\r\nx: y",
      "ｗｅｂ１",
      "\u202e",
      "💥",
    ],
    "x".repeat(200),
    "x".repeat(5_000),
  ),
  fc.string({ unit: "binary", maxLength: 80 }),
);

export const oddHeaders = fc.constantFrom<Record<string, string>>(
  ...[
    "text/plain",
    "application/xml",
    "application/json; charset=latin1",
    "",
    ";",
    "x".repeat(3_000),
  ].map((type) => ({ "content-type": type })),
  { accept: "application/xml" },
  { "accept-encoding": "br;q=x" },
  { "last-event-id": "\u00e9\u00ff".repeat(9) },
  { "idempotency-key": '"' },
  { "content-encoding": "gzip" },
  { authorization: "Bearer ../../x" },
  { "x-forwarded-for": "::1, <script>" },
  { traceparent: "00-zz-zz-zz" },
  { cookie: "a=b; ".repeat(500) },
  { "x-http-method-override": "DELETE" },
);

export const oddBodies = fc.constantFrom(
  ...["", " ", "null", "[]", "0", '"x"', "{}", "[".repeat(5_000), '{"a":'.repeat(5_000), "\ud800"],
  ...[
    '{"__proto__":{"x":1}}',
    '{"constructor":{"prototype":{"x":1}}}',
    `{"guest":"${"x".repeat(60_000)}"}`,
  ],
  ...[
    '{"guest":"web1","guest":"../x","to":"b"}',
    "{'guest':1}",
    "\ufeff{}",
    "guest=web1&to=host-b",
  ],
);
