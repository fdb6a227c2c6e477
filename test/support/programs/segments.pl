# Sends one TCP segment of the middle of each of many sessions, from addresses that are not this machine's.
# usage: segments.pl PEER-PREFIX PEERS FIRST-PORT PORTS GUEST PORT
#   PEER-PREFIX  the first three octets of the senders' addresses, e.g. 198.51.100
# Peers PREFIX.1 to PREFIX.PEERS, each from ports FIRST-PORT on.
use strict;
use warnings;
use Socket;
use Time::HiRes qw(usleep);

my ($prefix, $peers, $first, $ports, $guest, $port) = @ARGV;
socket(my $raw, AF_INET, SOCK_RAW, 255) or die "raw socket: $!";
my $destination = inet_aton($guest);
my $to = pack_sockaddr_in(0, $destination);
my $sent = 0;
for my $peer (1 .. $peers) {
  my $source = inet_aton("$prefix.$peer");
  for my $from ($first .. $first + $ports - 1) {
    # Sequence and acknowledgement of no meaning; ACK; a small window; one byte of data.
    my $tcp = pack('nnNNCCnnn', $from, $port, 1000, 2000, 5 << 4, 0x10, 512, 0, 0) . 'x';
    my $pseudo = $source . $destination . pack('CCn', 0, 6, length $tcp);
    substr($tcp, 16, 2) = pack('n', checksum($pseudo . $tcp));
    my $ip = pack('CCnnnCCn', 0x45, 0, 20 + length $tcp, 0, 0x4000, 64, 6, 0) . $source . $destination;
    send($raw, $ip . $tcp, 0, $to) or die "send: $!";
    # What receives has a queue of bounded length.
    usleep(2_000) if ++$sent % 100 == 0;
  }
}
print "$sent\n";

sub checksum {
  my ($bytes) = @_;
  $bytes .= "\0" if length($bytes) % 2;
  my $sum = 0;
  $sum += $_ for unpack('n*', $bytes);
  $sum = ($sum & 0xffff) + ($sum >> 16) while $sum >> 16;
  return ~$sum & 0xffff;
}
