import { expect, test } from "vitest";
import { domainXml } from "../../../src/lab/libvirt/domain-xml.ts";

const domain = {
  name: "web1",
  memoryMib: 128,
  kernel: "/k",
  initrd: "/i",
  append: "console=ttyS0",
  mac: "52:54:00:00:00:01",
  tapName: "lv-web1",
};

test("a domain's words cannot become XML of their own", () => {
  const append = `a="<x>" & 'b'`;
  const text = domainXml({ ...domain, append, kernel: "/a b/<k>" });
  expect(text).toContain("<cmdline>a=&quot;&lt;x&gt;&quot; &amp; &apos;b&apos;</cmdline>");
  expect(text).toContain("<kernel>/a b/&lt;k&gt;</kernel>");
});

test("its NIC is the tap that is there", () => {
  expect(domainXml(domain)).toContain("<target dev='lv-web1' managed='no'/>");
});
