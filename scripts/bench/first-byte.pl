#!/usr/bin/perl
# First byte: how long a program takes from its start.
#
#   first-byte.pl exit COMMAND…          ms from fork to the end of the process
#   first-byte.pl line COMMAND…          ms from fork to the first byte of its standard output
#   first-byte.pl byte LINK COMMAND…     ms from fork until a station has taken a byte that was sent as soon as it had set
#                                        the line up; LINK is made: a symbolic link to the pseudo-terminal
#
# In Perl, because it takes what Node cannot do: ioctl. Nothing is put between the station and
# the kernel: the pseudo-terminal is asked how many bytes wait in it.
use strict;
use warnings;
use Fcntl;
use POSIX qw(WNOHANG);
use Time::HiRes qw(clock_gettime sleep CLOCK_MONOTONIC);

# asm-generic/ioctls.h: x86 and ARM.
use constant { TCGETS => 0x5401, FIONREAD => 0x541B, TIOCGPTN => 0x80045430, TIOCSPTLCK => 0x40045431 };
# Pause between two looks (s): the result is that exact, and looking costs a few percent of a core.
use constant LOOK_EVERY_S => 0.0002;
# Within this the kernel shows the reader what was written (s).
use constant HANDED_OVER_S => 0.001;
# A station that has taken nothing for so long never will (s).
use constant GIVE_UP_AFTER_S => 20;
# The speed in c_cflag (termbits.h: CBAUD), and the one that a fresh line has.
use constant { CBAUD => 0x100F, B38400 => 0xF };

my ($mode, @command) = @ARGV;
my $link = $mode eq 'byte' ? shift @command : undef;
my ($master, $slave) = defined $link ? open_line($link) : ();
pipe(my $reader, my $writer) or die "pipe: $!\n";

my $started = clock_gettime(CLOCK_MONOTONIC);
my $pid = fork() // die "fork: $!\n";
if ($pid == 0) {
    close $_ for grep { defined } $master, $slave, $reader;
    if ($mode eq 'line') { open(STDOUT, '>&', $writer) or die }
    else { open(STDOUT, '>', '/dev/null') or die }
    exec @command or die "$command[0]: $!\n";
}
close $writer;
if ($mode eq 'exit') { waitpid($pid, 0); $pid = 0 }
elsif ($mode eq 'line') { sysread($reader, my $byte, 1) == 1 or die "it said nothing\n" }
else { until_taken() }
printf "%.3f\n", 1000 * (clock_gettime(CLOCK_MONOTONIC) - $started);

END {
    # Whatever happened, nothing of it stays behind.
    my $status = $?;
    if ($pid) {
        kill 'TERM', $pid;
        waitpid($pid, 0);
    }
    unlink $link if defined $link && defined $pid;
    $? = $status;
}

# A pseudo-terminal whose reader's side stays open here too, so that it stays the same when its reader comes and goes.
sub open_line {
    my ($path) = @_;
    sysopen(my $own, '/dev/ptmx', O_RDWR | O_NOCTTY) or die "/dev/ptmx: $!\n";
    my $unlocked = pack 'i', 0;
    ioctl($own, TIOCSPTLCK, $unlocked) or die "TIOCSPTLCK: $!\n";
    my $number = pack 'i', 0;
    ioctl($own, TIOCGPTN, $number) or die "TIOCGPTN: $!\n";
    my $name = '/dev/pts/' . unpack 'i', $number;
    sysopen(my $other, $name, O_RDWR | O_NOCTTY) or die "$name: $!\n";
    symlink $name, $path or die "$path: $!\n";
    return ($own, $other);
}

# Opening a port throws away what came before, then sets its speed: what is sent after that is not thrown away.
sub until_taken {
    look(sub { speed() != B38400 });
    # Zeros: noise, so that no flight begins.
    syswrite($master, "\0" x 64) or die "write: $!\n";
    # The kernel hands the bytes over a moment later; where they are not seen waiting they were taken meanwhile.
    my $soon = clock_gettime(CLOCK_MONOTONIC) + HANDED_OVER_S;
    until (waiting() > 0) { return if clock_gettime(CLOCK_MONOTONIC) > $soon }
    look(sub { waiting() == 0 });
}

sub look {
    my ($done) = @_;
    my $end = clock_gettime(CLOCK_MONOTONIC) + GIVE_UP_AFTER_S;
    until ($done->()) {
        die "the station took nothing\n" if clock_gettime(CLOCK_MONOTONIC) > $end;
        if (waitpid($pid, WNOHANG) == $pid) { $pid = 0; die "the station ended\n" }
        sleep LOOK_EVERY_S;
    }
}

sub speed {
    my $termios = "\0" x 64;
    ioctl($slave, TCGETS, $termios) or die "TCGETS: $!\n";
    return (unpack 'L4', $termios)[2] & CBAUD;
}

sub waiting {
    my $count = pack 'i', 0;
    ioctl($slave, FIONREAD, $count) or die "FIONREAD: $!\n";
    return unpack 'i', $count;
}
