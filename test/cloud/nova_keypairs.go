package cloud

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
)

type keypair struct {
	name, publicKey, fingerprint string
}

// AddKeypair gives a user a key pair. It returns false if there is no such user.
func (c *Cloud) AddKeypair(userName, name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.userNamed(userName)
	if u == nil {
		return false
	}
	c.addKeypair(u, name, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI"+c.newHexID()+" "+name)
	return true
}

func (c *Cloud) addKeypair(u *user, name, publicKey string) *keypair {
	sum := md5.Sum([]byte(publicKey)) // as Nova does
	var parts []string
	for _, b := range sum {
		parts = append(parts, fmt.Sprintf("%02x", b))
	}
	if c.keypairs[u.id] == nil {
		c.keypairs[u.id] = map[string]*keypair{}
	}
	kp := &keypair{name: name, publicKey: publicKey, fingerprint: strings.Join(parts, ":")}
	c.keypairs[u.id][name] = kp
	return kp
}

func (kp *keypair) view(k *call) object {
	v := object{"name": kp.name, "public_key": kp.publicKey, "fingerprint": kp.fingerprint}
	if k.mv >= 2 {
		v["type"] = "ssh"
	}
	return v
}

// Key pairs belong to users, not to projects: a list has only the asking user's own.
func (c *Cloud) listKeypairs(k *call) *reply {
	views := []object{}
	for _, name := range sortedKeys(c.keypairs[k.user.id]) {
		views = append(views, object{"keypair": c.keypairs[k.user.id][name].view(k)})
	}
	return answer(http.StatusOK, object{"keypairs": views})
}

func (c *Cloud) showKeypair(k *call) *reply {
	kp := c.keypairs[k.user.id][k.id()]
	if kp == nil {
		return noKeypair(k)
	}
	v := kp.view(k)
	v["user_id"], v["id"], v["deleted"], v["deleted_at"], v["updated_at"] = k.user.id, 1, false, nil, nil
	return answer(http.StatusOK, object{"keypair": v})
}

func noKeypair(k *call) *reply {
	return novaError(http.StatusNotFound, "Keypair %s not found for user %s", k.id(), k.user.id)
}

func (c *Cloud) createKeypair(k *call) *reply {
	var req struct {
		Keypair struct {
			Name      string `json:"name"`
			PublicKey string `json:"public_key"`
		} `json:"keypair"`
	}
	if !k.decode(&req) || req.Keypair.Name == "" {
		return malformedBody()
	}
	if !isPublicKey(req.Keypair.PublicKey) {
		return novaError(http.StatusBadRequest, "Keypair data is invalid: failed to generate fingerprint")
	}
	if c.keypairs[k.user.id][req.Keypair.Name] != nil {
		return novaError(http.StatusConflict, "Key pair '%s' already exists.", req.Keypair.Name)
	}
	status := http.StatusOK
	if k.mv >= 2 {
		status = http.StatusCreated
	}
	v := c.addKeypair(k.user, req.Keypair.Name, req.Keypair.PublicKey).view(k)
	v["user_id"] = k.user.id
	return answer(status, object{"keypair": v})
}

// isPublicKey says whether a line is one of OpenSSH's: its second word holds strings, each after its length, the first being the key's type.
func isPublicKey(line string) bool {
	words := strings.Fields(line)
	if len(words) < 2 {
		return false
	}
	blob, err := base64.StdEncoding.DecodeString(words[1])
	if err != nil {
		return false
	}
	var parts []string
	for len(blob) >= 4 {
		n := int(binary.BigEndian.Uint32(blob))
		if n > len(blob)-4 {
			return false
		}
		parts, blob = append(parts, string(blob[4:4+n])), blob[4+n:]
	}
	return len(blob) == 0 && len(parts) > 1 && parts[0] == words[0]
}

func (c *Cloud) deleteKeypair(k *call) *reply {
	if c.keypairs[k.user.id][k.id()] == nil {
		return noKeypair(k)
	}
	delete(c.keypairs[k.user.id], k.id())
	if k.mv < 2 {
		return empty(http.StatusAccepted)
	}
	return empty(http.StatusNoContent)
}
