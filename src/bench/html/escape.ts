/** Text as content or quoted attribute of HTML and XML; control characters that XML forbids become U+FFFD. */
export function escapeText(text: string): string {
  return text
    .replaceAll(forbidden, "\u{fffd}")
    .replace(/[&<>"']/g, (character) => entities[character] ?? character);
}

/** Everything outside the characters of XML 1.0, section 2.2. */
const forbidden = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/gu;

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};
