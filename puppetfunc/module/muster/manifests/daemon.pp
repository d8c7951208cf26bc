# @summary The node's daemon: it registers facts, classes and RPC agents.
#
# A node proves itself with its Puppet certificate (agent.puppet in the settings of
# the class muster), or joins once by a line that `muster token join` prints.
#
# @example Joining; the line comes encrypted out of Hiera, and never stands on a command line
#   class { 'muster':
#     settings => { 'agent' => { 'join_file' => '/etc/muster/join' } },
#   }
#   class { 'muster::daemon':
#     join => Sensitive(lookup('muster_join')),
#   }
#
# @param join
#   The line to join by. It is written to join_file.
# @param join_file
#   Where the line is kept; agent.join_file in the settings must name it.
# @param ensure
#   Whether the daemon runs.
# @param enable
#   Whether it is started with the machine.
# @param manage_unit
#   Whether the module brings the systemd unit; false where the package does.
class muster::daemon (
  Optional[Sensitive[String[1]]]      $join        = undef,
  Pattern[/\A\//]                     $join_file   = '/etc/muster/join',
  Enum['running', 'stopped']          $ensure      = 'running',
  Boolean                             $enable      = true,
  Boolean                             $manage_unit = true,
) {
  require muster

  if $join {
    file { $join_file:
      ensure    => file,
      owner     => 'root',
      group     => 'root',
      mode      => '0600',
      show_diff => false,
      content   => $join,
      before    => Service['muster-agent'],
    }
  }

  if $manage_unit {
    muster::unit { 'muster-agent':
      part   => 'agent',
      before => Service['muster-agent'],
      notify => Service['muster-agent'],
    }
  }

  service { 'muster-agent':
    ensure    => $ensure,
    enable    => $enable,
    subscribe => File["${muster::config_dir}/muster.yaml"],
  }
}
