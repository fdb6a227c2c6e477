/** What the lab's domain is made of. */
export interface LabDomain {
  name: string;
  memoryMib: number;
  kernel: string;
  initrd: string;
  /** The guest's kernel command line. */
  append: string;
  mac: string;
  /** An existing tap. */
  tapName: string;
}

/**
 * A domain as plain libvirt XML (https://libvirt.org/formatdomain.html): the hardware of the lab's other guests, and
 * nothing that libvirt would add by itself.
 */
export function domainXml(domain: LabDomain): string {
  return `<domain type='qemu'>
  <name>${escaped(domain.name)}</name>
  <memory unit='MiB'>${domain.memoryMib}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <kernel>${escaped(domain.kernel)}</kernel>
    <initrd>${escaped(domain.initrd)}</initrd>
    <cmdline>${escaped(domain.append)}</cmdline>
  </os>
  <features><acpi/></features>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='pty'/>
    <interface type='ethernet'>
      <mac address='${escaped(domain.mac)}'/>
      <target dev='${escaped(domain.tapName)}' managed='no'/>
      <model type='virtio'/>
      <driver name='qemu'/>
      <rom enabled='no'/>
    </interface>
  </devices>
</domain>
`;
}

const entities: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&apos;",
  '"': "&quot;",
};

function escaped(text: string): string {
  return text.replace(/[&<>'"]/g, (character) => entities[character] as string);
}
