# @summary The muster program and its settings file.
#
# Installs the program, from a package or as a file, and writes the settings. The
# node's daemon and the server are classes of their own.
#
# @example A node, proven by its Puppet certificate
#   class { 'muster':
#     settings => { 'brokers' => ['stomp+ssl://registry.acme.net:61613'], 'agent' => { 'puppet' => '/etc/puppetlabs/puppet/ssl' } },
#   }
#   include muster::daemon
#
# @example The program as a file of your own, instead of a package
#   class { 'muster':
#     source => 'puppet:///modules/profile/muster',
#   }
#
# @param package
#   The package's name; not looked at where source is set.
# @param package_ensure
#   As of a package resource: installed, latest, absent or a version.
# @param source
#   Where the program itself is taken from, instead of a package.
# @param program
#   Where the program is; the units that it prints have /usr/bin/muster.
# @param config_dir
#   Folder of muster.yaml, and of what it names.
# @param settings
#   What muster.yaml holds; docs/config.md of muster lists the keys. Secrets belong into files that it names.
# @param manage_user
#   Whether the module makes the user muster, which the server runs as, and its group.
# @param group
#   Who may read the settings beside root.
class muster (
  String[1]            $package        = 'muster',
  String[1]            $package_ensure = 'installed',
  Optional[String[1]]  $source         = undef,
  Pattern[/\A\//]      $program        = '/usr/bin/muster',
  Pattern[/\A\//]      $config_dir     = '/etc/muster',
  Hash[String[1], Any] $settings       = {},
  Boolean              $manage_user    = true,
  String[1]            $group          = 'muster',
) {
  if $manage_user {
    group { 'muster':
      ensure => present,
      system => true,
    }
    user { 'muster':
      ensure => present,
      system => true,
      gid    => 'muster',
      home   => '/var/lib/muster',
      shell  => '/usr/sbin/nologin',
      before => File["${config_dir}/muster.yaml"],
    }
  }

  if $source {
    file { $program:
      ensure => file,
      owner  => 'root',
      group  => 'root',
      mode   => '0755',
      source => $source,
      before => File["${config_dir}/muster.yaml"],
    }
  } else {
    package { $package:
      ensure => $package_ensure,
      before => File["${config_dir}/muster.yaml"],
    }
  }

  file { $config_dir:
    ensure => directory,
    owner  => 'root',
    group  => 'root',
    mode   => '0755',
  }

  file { "${config_dir}/muster.yaml":
    ensure  => file,
    owner   => 'root',
    group   => $group,
    mode    => '0640',
    content => muster::to_yaml($settings),
  }
}
