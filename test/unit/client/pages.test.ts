import { expect, test } from "vitest";
import type { Connection } from "../../../src/client/connection.ts";
import { eachItem } from "../../../src/client/pages.ts";

/** A daemon that answers with these pages, again and again. */
function connectionTo(pages: readonly { body: unknown; next: string | null }[]) {
  let asked = 0;
  const answer = async () => {
    const { body, next } = pages[asked % pages.length] ?? { body: [], next: null };
    asked += 1;
    if (asked > 50) throw new Error("asked without an end");
    const link = next === null ? null : `</v1/things?cursor=${next}>; rel="next"`;
    return { body, link };
  };
  return { answer } as unknown as Connection;
}

const all = (pages: Parameters<typeof connectionTo>[0]) =>
  Array.fromAsync(eachItem(connectionTo(pages), ["v1", "things"]));

test("all pages are read, in order", async () => {
  const pages = [
    { body: [1, 2], next: "b" },
    { body: [3], next: "c" },
    { body: [], next: null },
  ];
  expect(await all(pages)).toEqual([1, 2, 3]);
});

test.each([
  ["a page that is its own next one", [{ body: [1], next: "a" }]],
  [
    "pages in a circle",
    [
      { body: [1], next: "a" },
      { body: [2], next: "b" },
    ],
  ],
  ["an empty page with a next one", [{ body: [], next: "a" }]],
  ["no list", [{ body: { items: [] }, next: null }]],
  ["nothing", [{ body: undefined, next: null }]],
])("%s is refused", async (_name, pages) => {
  await expect(all(pages)).rejects.toMatchObject({ code: "SOJ_DAEMON_PROTOCOL" });
});
