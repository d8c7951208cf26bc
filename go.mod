module muster

go 1.26.8

require github.com/go-stomp/stomp/v3 v3.1.5
